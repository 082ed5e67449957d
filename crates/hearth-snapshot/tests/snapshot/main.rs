//! What the container promises, on the file system of the machine and on a disk that lies.

mod container;
mod crash;
mod damage;
mod desk;
mod format;
mod keys;
mod page;
mod reasons;
mod rotation;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
