//! What an image is read from: a file of the host, or a server of NBD. The images of one chain share the type.

use imago::DynStorage;
use imago::file::File;
use std::io;
use std::sync::Arc;

/// A file or a server.
pub(crate) type Store = Arc<dyn DynStorage>;

/// Returns a file as a store.
pub(super) fn of_file(file: std::fs::File) -> io::Result<Store> {
    Ok(Arc::new(File::try_from(file)?))
}
