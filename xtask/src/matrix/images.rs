//! Formats of images. What is only read is converted into a new image.

use super::row::{Expect, Row};

const fn image(name: &'static str, image: &'static str, expect: Expect) -> Row {
    Row { name, image, expect, ..Row::PLAIN }
}

pub(super) const ROWS: &[Row] = &[
    image("qcow2", "qcow2", Expect::Converted(&[])),
    image("qcow2-v2", "qcow2 -o compat=0.10", Expect::Converted(&[])),
    image("qcow2-zlib", "qcow2 -c", Expect::Converted(&[])),
    image("qcow2-small-clusters", "qcow2 -o cluster_size=512", Expect::Converted(&[])),
    image("qcow2-large-clusters", "qcow2 -o cluster_size=2M", Expect::Converted(&[])),
    image("qcow2-refcount-1", "qcow2 -o refcount_bits=1", Expect::Converted(&[])),
    image("qcow2-zstd", "qcow2 -c -o compression_type=zstd", Expect::Copied),
    image("qcow2-extended-l2", "qcow2 -o extended_l2=on,cluster_size=128k", Expect::Copied),
    image("vmdk-sparse", "vmdk", Expect::Copied),
    image("vmdk-stream", "vmdk -o subformat=streamOptimized", Expect::Copied),
    image("vhd-dynamic", "vpc -o force_size=on", Expect::Copied),
    image("vhd-fixed", "vpc -o subformat=fixed,force_size=on", Expect::Copied),
    image("vhdx-dynamic", "vhdx", Expect::Copied),
    image("vhdx-fixed", "vhdx -o subformat=fixed", Expect::Copied),
    image("vdi-dynamic", "vdi", Expect::Copied),
];
