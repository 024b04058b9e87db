// Reads lines of JSON: {"transaction": base64} or {"hashes": [base64, …]}. Writes, line by line, what Canton's own
// JavaScript package makes of each: the hash that signers sign, the operation, the serial and the kind of the mapping.

import { createInterface } from 'node:readline'
import {
    computeMultiHashForTopology,
    computeSha256CantonHash,
    decodeTopologyTransaction,
} from '@canton-network/core-tx-visualizer'

const TRANSACTION = 11
const MULTI_TRANSACTION = 55

const hex = (bytes) => Buffer.from(bytes).toString('hex')

// The message inside the version wrapper: field 1, length-delimited, first.
const unwrapped = (bytes) => {
    if (bytes[0] !== 0x0a) throw new Error('the wrapper does not begin with its data')
    let [length, shift, at] = [0, 0, 1]
    for (; ; at++, shift += 7) {
        length |= (bytes[at] & 0x7f) << shift
        if (bytes[at] < 0x80) break
    }
    return bytes.subarray(at + 1, at + 1 + length)
}

for await (const line of createInterface({ input: process.stdin })) {
    const { transaction, hashes } = JSON.parse(line)
    if (hashes) {
        const content = await computeMultiHashForTopology(hashes.map((hash) => new Uint8Array(Buffer.from(hash, 'base64'))))
        console.log(JSON.stringify({ hash: hex(await computeSha256CantonHash(MULTI_TRANSACTION, content)) }))
        continue
    }
    const bytes = Buffer.from(transaction, 'base64')
    const hash = hex(await computeSha256CantonHash(TRANSACTION, new Uint8Array(bytes)))
    const read = decodeTopologyTransaction(unwrapped(bytes).toString('base64'))
    const kind = read.mapping.mapping.oneofKind ?? null
    console.log(JSON.stringify({ hash, operation: read.operation, serial: read.serial, kind }))
}
