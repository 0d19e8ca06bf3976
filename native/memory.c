/*
 * Three calls that Node has no interface for. src/cli/native-memory.ts makes them in `serve`. scripts/build.mjs compiles
 * this file to dist/memory.node. It keeps no state and takes no arguments.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include <node_api.h>

/* The kernel's number, which older headers of the C library do not have. */
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

/* Calls `advise` with the pages of code and constants of each object: the program and its libraries. */
static int each_object(struct dl_phdr_info *object, size_t size, void *advise) {
  (void)size;
  const uintptr_t rest = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
  for (size_t i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || (part->p_flags & PF_W) != 0) continue;
    const uintptr_t start = object->dlpi_addr + part->p_vaddr;
    const uintptr_t first = start & ~rest;
    const uintptr_t end = (start + part->p_memsz + rest) & ~rest;
    (*(void (**)(void *, size_t))advise)((void *)first, end - first);
  }
  return 0;
}

static void for_code(void (*advise)(void *, size_t)) { dl_iterate_phdr(each_object, &advise); }

/* All of the following is advice: where it fails, nothing changes. */
static void read_singly(void *first, size_t size) { (void)madvise(first, size, MADV_RANDOM); }

/* Has the kernel read one page of code and constants at a time. It would read 128 KiB around each. */
static napi_value read_single_pages(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  for_code(read_singly);
  return NULL;
}

/*
 * Returns true if each page is as in its file: else some of them are copies, such as those in which a tracer has set
 * breakpoints, or large pages, and would be lost. The bits of an entry are in proc_pid_pagemap(5).
 */
static bool is_unchanged(const void *first, size_t size) {
  enum { ENTRIES = 512 };
  const uint64_t of_file = UINT64_C(1) << 61, in_use = UINT64_C(3) << 62;
  const size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
  const int pages = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  size_t page = (uintptr_t)first / page_size;
  const size_t end = page + size / page_size;
  bool unchanged = pages >= 0;
  while (unchanged && page < end) {
    uint64_t entries[ENTRIES];
    const size_t wanted = end - page < ENTRIES ? end - page : ENTRIES;
    const ssize_t got = pread(pages, entries, wanted * sizeof *entries, (off_t)(page * sizeof *entries));
    unchanged = got == (ssize_t)(wanted * sizeof *entries);
    for (size_t i = 0; unchanged && i < wanted; i++) unchanged = (entries[i] & in_use) == 0 || (entries[i] & of_file) != 0;
    page += wanted;
  }
  if (pages >= 0) close(pages);
  return unchanged;
}

static void release(void *first, size_t size) {
  if (!is_unchanged(first, size)) return;
  /* Without it, the kernel takes the pages for recently used ones when they are released. */
  (void)madvise(first, size, MADV_COLD);
  (void)madvise(first, size, MADV_DONTNEED);
}

/* Takes code and constants out of the process's memory. They stay in the kernel's cache, from which each use maps them. */
static napi_value release_code(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  for_code(release);
  return NULL;
}

/* Returns the free pages inside the heap of the C library to the kernel. */
static napi_value trim(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  malloc_trim(0);
  return NULL;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"readSinglePages", NULL, read_single_pages, NULL, NULL, NULL, napi_default, NULL},
      {"releaseCode", NULL, release_code, NULL, NULL, NULL, napi_default, NULL},
      {"trim", NULL, trim, NULL, NULL, NULL, napi_default, NULL},
  };
  const size_t count = sizeof functions / sizeof *functions;
  return napi_define_properties(env, exports, count, functions) == napi_ok ? exports : NULL;
}
