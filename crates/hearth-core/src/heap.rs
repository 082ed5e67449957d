//! Memory that can be asked for: each index part reports the heap bytes it owns.

/// Heap bytes owned by a value, by capacity, not counting the value itself nor shared parts.
pub trait HeapSize {
    /// Bytes on the heap that would be freed by dropping this value.
    fn heap_bytes(&self) -> usize;
}

impl<T: Copy> HeapSize for Vec<T> {
    fn heap_bytes(&self) -> usize {
        self.capacity() * size_of::<T>()
    }
}

impl<T: Copy> HeapSize for Box<[T]> {
    fn heap_bytes(&self) -> usize {
        self.len() * size_of::<T>()
    }
}

impl<T: HeapSize> HeapSize for Option<T> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, HeapSize::heap_bytes)
    }
}
