//! Options and documents that make no sense.

use crate::case::{ALL, WITH_DESCRIPTION, case};
use crate::images;
use std::path::Path;
use tempfile::TempDir;

#[test]
fn a_wrong_wish_is_told_without_an_appliance() {
    let directory = TempDir::new().unwrap();
    images::make(directory.path());
    let usage = |arguments, code, message| case(arguments, 2, "invalid-argument", code, message);
    for (commands, case) in [
        (
            ALL,
            usage(
                "blank.img --target xen-9",
                "target-unknown",
                "there is no target \"xen-9\"; choose one of: kvm, libvirt, rhev-3.0, rhev-3.1, rhev-3.2, rhev-3.3, \
                 rhev-3.4, rhev-3.5, rhev-3.6, rhv-4.0, rhv-4.1, rhv-4.2, rhv-4.3, rhv-4.4, ovirt-4.0, ovirt-4.1, \
                 ovirt-4.2, ovirt-4.3, ovirt-4.4, ovirt-4.5, ovirt-4.6, ovirt-4.7, ovirt-4.8",
            ),
        ),
        (
            ALL,
            usage(
                "blank.img --nic 52:54",
                "nic-invalid",
                "\"52:54\" is no network card; write the address of one card, like 52:54:00:12:34:56 or eth0=52:54:00:12:34:56",
            ),
        ),
        (
            ALL,
            usage(
                "blank.img --nic 52:54:00:00:00:01 --nic eth1=52-54-00-00-00-01",
                "nic-twice",
                "the network card eth1=52:54:00:00:00:01 is there twice; name each card once, with its own address",
            ),
        ),
        (
            ALL,
            usage(
                "blank.img --libvirt-xml broken.xml",
                "domain-not-xml",
                "the libvirt XML cannot be read: expected 'info' tag, not 'guestconv' at 3:1; take what virsh dumpxml writes",
            ),
        ),
        (
            ALL,
            usage(
                "blank.img --libvirt-xml absent.xml",
                "document-unreadable",
                "cannot read the libvirt XML absent.xml: No such file or directory (os error 2)",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description absent.xml",
                "document-unreadable",
                "cannot read the description absent.xml: No such file or directory (os error 2)",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description directory",
                "document-unreadable",
                "cannot read the description directory: Is a directory (os error 21)",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description tiny.img",
                "document-unreadable",
                "cannot read the description tiny.img: stream did not contain valid UTF-8",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description broken.xml",
                "description-not-xml",
                "the description is not XML: expected 'info' tag, not 'guestconv' at 3:1; correct it, or let inspect write it anew",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description other.xml",
                "description-unknown-element",
                "/html, line 1, column 1: the document's element must be guestconv; pass the document that inspect wrote",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description dtd.xml",
                "description-dtd",
                "the description has a document type declaration, which is not accepted; remove it",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description blank.img",
                "description-not-xml",
                "the description is not XML: unknown token at 1:1; correct it, or let inspect write it anew",
            ),
        ),
    ] {
        case.check(commands, directory.path(), Path::new("no-appliance"));
    }
}
