//! Memory for what is loaded, at hand before it is filled.
//!
//! A load fills hundreds of megabytes that the process never used. Left alone, the kernel hands them out page
//! by page, an interrupt each, and twice that where a page is read before it is written. So large memory is asked
//! for at once.
//!
//! What always holds: the memory reads as zeros, whatever the kernel makes of the advice.

use std::ops::Range;

/// Less than this comes as fast page by page, bytes.
const LEAST: usize = 256 << 10;

/// Pages of any system fill this exactly, bytes.
const PAGES: usize = 64 << 10;

/// `len` zeros.
pub(crate) fn zeros<T: Copy + Default>(len: usize) -> Vec<T> {
    let mut zeros = vec![T::default(); len];
    populate(&mut zeros);
    zeros
}

/// Makes the kernel hand out all of some memory. A kernel that refuses does so page by page, as ever.
fn populate<T>(memory: &mut [T]) {
    if size_of_val(memory) < LEAST {
        return;
    }
    let Range { start, end } = memory.as_mut_ptr_range();
    let ahead = start as usize % PAGES;
    let ahead = if ahead == 0 { 0 } else { PAGES - ahead };
    let len = (end as usize - start as usize - ahead) / PAGES * PAGES;
    // SAFETY: `ahead + len` bytes lie within `memory`, which is exclusively borrowed for the call. The advice keeps
    // what memory holds: it takes each page as a write of what the page holds would.
    unsafe { libc::madvise(start.wrapping_byte_add(ahead).cast(), len, libc::MADV_POPULATE_WRITE) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_length_is_zeros_that_can_be_written() {
        for len in [0, 1, LEAST - 1, LEAST, LEAST + 1, 6 << 20, (10 << 20) + 7] {
            let mut memory: Vec<u8> = zeros(len);
            assert!(memory.len() == len && memory.iter().all(|&byte| byte == 0), "{len}");
            memory.fill(1);
            drop(memory);
            assert!(zeros::<u8>(len).iter().all(|&byte| byte == 0), "{len}, used before");
        }
    }

    #[test]
    fn what_memory_holds_stays() {
        let mut memory: Vec<u64> = (0..1 << 20).collect();
        populate(&mut memory[5..]);
        assert!(memory.iter().zip(0..).all(|(&number, at)| number == at));
    }
}
