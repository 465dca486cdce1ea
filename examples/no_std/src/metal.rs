//! What an operating system's runtime would give: an entry point, an exit, a heap, a panic handler.
//! It is the one place of this repository with `unsafe` in it, and no part of any library.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

const HEAP: usize = 1 << 20;

/// A heap that only grows; the program is short.
struct Bump {
    memory: UnsafeCell<[u8; HEAP]>,
    used: AtomicUsize,
}

// SAFETY: `used` hands each part of `memory` out once.
unsafe impl Sync for Bump {}

// SAFETY: each block is aligned, inside `memory`, and never handed out again.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.memory.get().cast::<u8>();
        let take = |used: usize| {
            let start = (base.addr() + used).next_multiple_of(layout.align()) - base.addr();
            let end = start.checked_add(layout.size())?;
            (end <= HEAP).then_some((start, end))
        };
        let next = |used| take(used).map(|(_, end)| end);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(used) => {
                take(used).map_or(core::ptr::null_mut(), |(start, _)| base.wrapping_add(start))
            }
            Err(_) => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP_OF_THE_PROGRAM: Bump =
    Bump { memory: UnsafeCell::new([0; HEAP]), used: AtomicUsize::new(0) };

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(2)
}

// The kernel enters with an aligned stack and no return address; a function expects one.
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "and rsp, -16",
    "call {run}",
    "mov edi, eax",
    "mov eax, 60",
    "syscall",
    run = sym super::run,
);

fn exit(status: i32) -> ! {
    // SAFETY: `exit` (60) does not return and touches no memory.
    unsafe {
        core::arch::asm!("syscall", in("rax") 60, in("rdi") status, options(noreturn));
    }
}

/// What the compiler calls for copies and comparisons, and finds in libc elsewhere.
mod memory {
    use core::arch::asm;

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        // SAFETY: the caller vouches for both ranges.
        unsafe {
            asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _);
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        if to.addr().wrapping_sub(from.addr()) >= count {
            // SAFETY: as above; going up does not overwrite what is still to be read.
            return unsafe { memcpy(to, from, count) };
        }
        let (last_to, last_from) =
            (to.wrapping_add(count).wrapping_sub(1), from.wrapping_add(count).wrapping_sub(1));
        // SAFETY: as above, going down; the direction is set back.
        unsafe {
            asm!("std", "rep movsb", "cld",
                inout("rcx") count => _, inout("rdi") last_to => _, inout("rsi") last_from => _);
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, octet: i32, count: usize) -> *mut u8 {
        // SAFETY: the caller vouches for the range.
        unsafe {
            asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") octet as u8);
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
        for at in 0..count {
            // SAFETY: the caller vouches for both ranges.
            let (a, b) = unsafe { (a.add(at).read(), b.add(at).read()) };
            if a != b {
                return i32::from(a) - i32::from(b);
            }
        }
        0
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
        // SAFETY: the caller vouches for both ranges.
        unsafe { memcmp(a, b, count) }
    }
}

/// Named by the prebuilt `alloc`, which could unwind; this program aborts instead.
mod unwinding {
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}

    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() -> ! {
        super::exit(2)
    }
}
