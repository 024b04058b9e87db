//! Packages and their vetting.

use super::{
    Explanation,
    Then::{Mend, Other},
    line,
};

pub(super) const LINES: &[Explanation] = &[
    line(
        "TOPOLOGY_DEPENDENCIES_NOT_VETTED",
        Mend,
        "a package needs others that the node has not vetted",
        "upload an archive with all dependencies: `workflow run CASE --archive FILE`",
    ),
    line(
        "TOPOLOGY_CANNOT_VET_DUE_TO_MISSING_PACKAGES",
        Mend,
        "a package is to be vetted that the node does not have",
        "upload its archive first: `workflow run CASE --archive FILE`",
    ),
    line(
        "NOT_VALID_UPGRADE_PACKAGE",
        Other,
        "the package is no upgrade of the version of the same name that the node has vetted",
        "upload the archive that the party's other hosts use; let its author compare the two versions",
    ),
    line(
        "KNOWN_PACKAGE_VERSION",
        Other,
        "the node has another package of the same name and version",
        "upload the archive that the party's other hosts use; one of the two must get another version",
    ),
    line(
        "DAML_PRIM_NOT_UTILITY_PACKAGE",
        Other,
        "the archive calls a package daml-prim that is not the compiler's own",
        "build the archive again with an unchanged compiler",
    ),
    line(
        "PACKAGE_SERVICE_CANNOT_AUTODETECT_SYNCHRONIZER",
        Mend,
        "the node is connected to no synchronizer or to several, so it does not know where to vet",
        "connect the node to the party's synchronizer, then upload again",
    ),
    line(
        "PACKAGE_SERVICE_NOT_CONNECTED_TO_SYNCHRONIZER",
        Mend,
        "the node is not connected to the synchronizer on which it should vet",
        "connect the node, then upload again: packages are vetted before a new host is disconnected",
    ),
    line("DAR_NOT_FOUND", Mend, "the node has no archive with this main package", "upload the archive first"),
    line(
        "PACKAGE_OR_DAR_REMOVAL_ERROR",
        Mend,
        "the archive is in use: a contract or a vetting needs one of its packages",
        "leave it there, or end what uses it first",
    ),
    line(
        "INVALID_DAR",
        Other,
        "the file is no archive of packages",
        "name the .dar file itself; compare its hash with its author's",
    ),
    line(
        "INVALID_DAR_FILE_NAME",
        Other,
        "the archive's own name is one that the node does not take",
        "rename the file: letters, digits, dots and dashes, ending in .dar",
    ),
    line(
        "INVALID_ZIP_ENTRY",
        Other,
        "an entry of the archive is damaged or has a name that leads elsewhere",
        "get the file again from its author",
    ),
    line(
        "INVALID_LEGACY_DAR",
        Other,
        "the archive has a form that this release does not read any more",
        "build it again with the compiler of this release",
    ),
    line(
        "ZIP_BOMB",
        Other,
        "the archive unpacks to more than the node allows",
        "get the file from its author; if it is right, the node's operator must raise the limit",
    ),
    line(
        "DAR_PARSE_ERROR",
        Other,
        "a package in the archive does not read",
        "get the file again; it may be damaged, or made for another release of Canton",
    ),
    line(
        "DAR_VALIDATION_ERROR",
        Other,
        "a package in the archive breaks Daml's own rules",
        "build it again; the node's words name the place",
    ),
    line(
        "DAR_DEPENDENCIES_NOT_VALID",
        Other,
        "the archive does not bring all packages that its own need",
        "build an archive with all dependencies",
    ),
    line(
        "MAIN_PACKAGE_IN_DAR_DOES_NOT_MATCH_EXPECTED",
        Other,
        "the archive's main package is another one than was asked for",
        "name the right file; the id of its main package is the one that the party's other hosts have",
    ),
    line(
        "PACKAGE_SERVICE_INTERNAL_ERROR",
        Mend,
        "the node could not store the archive, and tells only its own log",
        "look for the trace id in the node's log, and give both to its operator",
    ),
    line(
        "UNRESOLVED_VETTING_REFERENCE",
        Mend,
        "a package that is to be vetted by name is not on the node",
        "upload its archive first: `workflow run CASE --archive FILE`",
    ),
    line(
        "AMBIGUOUS_VETTING_REFERENCE",
        Other,
        "several packages on the node have the name that is to be vetted",
        "name the package by its id",
    ),
];
