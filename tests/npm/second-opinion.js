// What Canton's official JavaScript packages make of topology transactions. One JSON object for each line of standard
// input, one for each line of standard output:
//
//   {"transaction": BASE64}   {"hash": HEX, "fields": {…} | null, "rewritten": BASE64 | null, "error": TEXT | null}
//   {"hashes": [HEX, …]}      {"hash": HEX}
//
// "fields" is the message in the wrapper as protobuf's own JSON, under the names of the .proto file; "rewritten" is what
// the package writes for it, without the wrapper.
import { readFileSync, writeFileSync } from 'node:fs'

import { TopologyTransaction } from '@canton-network/core-ledger-proto'
import {
    computeMultiHashForTopology,
    computeSha256CantonHash,
    decodeTopologyTransaction,
} from '@canton-network/core-tx-visualizer'

// Canton's hash purposes.
const TOPOLOGY_TRANSACTION = 11
const MULTI_TRANSACTION = 55

const hex = (bytes) => Buffer.from(bytes).toString('hex')
const base64 = (bytes) => Buffer.from(bytes).toString('base64')

// The package knows no wrapper: given one it reads the wrapper's version as the serial.
function unwrapped(bytes) {
    if (bytes[0] !== 0x0a) throw new Error('the wrapper does not begin with its data')
    let length = 0
    let at = 1
    for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++]
        length += (byte & 0x7f) * 2 ** shift
        if (byte < 0x80) return bytes.subarray(at, at + length)
    }
}

async function ofTransaction(bytes) {
    const hash = hex(await computeSha256CantonHash(TOPOLOGY_TRANSACTION, bytes))
    try {
        const message = decodeTopologyTransaction(base64(unwrapped(bytes)))
        const rewritten = base64(TopologyTransaction.toBinary(message, { writeUnknownFields: false }))
        const fields = TopologyTransaction.toJson(message, { useProtoFieldName: true })
        return { hash, fields, rewritten, error: null }
    } catch (error) {
        return { hash, fields: null, rewritten: null, error: String(error) }
    }
}

async function ofHashes(hashes) {
    const content = await computeMultiHashForTopology(hashes.map((hash) => new Uint8Array(Buffer.from(hash, 'hex'))))
    return { hash: hex(await computeSha256CantonHash(MULTI_TRANSACTION, content)) }
}

const answers = []
for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    const { transaction, hashes } = JSON.parse(line)
    const answer = transaction === undefined ? ofHashes(hashes) : ofTransaction(Buffer.from(transaction, 'base64'))
    answers.push(JSON.stringify(await answer))
}
writeFileSync(1, answers.join('\n') + '\n')
