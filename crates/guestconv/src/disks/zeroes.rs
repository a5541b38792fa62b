//! Zeroes on an image.

use super::image::Image;
use std::io;

/// The largest cluster of qcow2.
const CLUSTER_CAP_BYTES: u64 = 2 << 20;

/// Writes zeroes, by the image's map where it can.
///
/// An image that may be smaller than one of its clusters gets them written: there imago's `soft_ensure_zero` subtracts a
/// cluster from the image's end and panics, or wraps around (imago 0.2.6, not reported yet).
///
/// # Errors
/// The error of the host; `Unsupported` if the map of the image knows no zeroes.
pub(crate) fn write_zeroes(image: &Image, offset: u64, length: u64) -> io::Result<()> {
    let size_bytes = image.size();
    if size_bytes >= CLUSTER_CAP_BYTES {
        return image.write_zeroes(offset, length);
    }
    if offset.checked_add(length).is_none_or(|end| end > size_bytes) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    image.write(&vec![0; usize::try_from(length).map_err(io::Error::other)?], offset)
}

#[cfg(test)]
mod tests {
    use super::super::overlay::above_nothing;
    use super::*;

    #[test]
    fn an_image_that_is_smaller_than_a_cluster_gets_its_zeroes() {
        let dir = tempfile::tempdir().unwrap();
        for size_bytes in [1024u64, 40_000, 4 << 20] {
            let image = above_nothing(&dir.path().join(size_bytes.to_string()), size_bytes).unwrap();
            image.write(&vec![7; 1024], 0).unwrap();
            write_zeroes(&image, 512, 512).unwrap();
            let mut bytes = vec![1; 1024];
            image.read(&mut bytes, 0).unwrap();
            assert!(bytes == [[7; 512], [0; 512]].concat(), "{size_bytes}");
            assert!(write_zeroes(&image, size_bytes - 512, 1024).is_err(), "{size_bytes}");
        }
    }
}
