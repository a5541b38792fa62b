//! The appliance's `/init`: takes the one request, does it where the files are, sends the one reply, powers off.

mod apply;
mod arrays;
mod btrfs;
mod budget;
mod clock;
mod device;
mod health;
mod heap;
mod inspect;
mod kmsg;
mod layout;
mod locks;
mod manifest;
mod mapper;
mod modules;
mod mount;
mod reply;
mod sign;
mod stacked;
mod start;
mod tree;
mod volumes;

fn main() {
    if !sign::is_init() {
        return modules::serve();
    }
    heap::keep();
    let mut clock = clock::Clock::start();
    let answer = start::answer(&mut clock);
    reply::send(answer, clock);
    start::power_off();
}
