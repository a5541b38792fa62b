//! libguestconv: guestconv for C. `include/guestconv.h` is the interface; [`boundary`] holds all that touches pointers,
//! text from C and panics, [`session`] what a handle does.

mod boundary;
mod session;
