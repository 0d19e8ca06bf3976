/*
 * Two calls that Node has no interface for. src/cli/native-memory.ts makes them in `serve`. scripts/build.mjs compiles
 * this file to dist/memory.node. It keeps no state and takes no arguments.
 */
#define _GNU_SOURCE
#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include <node_api.h>

/* Has the kernel read one page of an object's code and constants at a time. It would read 128 KiB around each. */
static int advise(struct dl_phdr_info *object, size_t size, void *page_size) {
  (void)size;
  const uintptr_t rest = *(const uintptr_t *)page_size - 1;
  for (size_t i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || (part->p_flags & PF_W) != 0) continue;
    const uintptr_t start = object->dlpi_addr + part->p_vaddr;
    const uintptr_t first = start & ~rest;
    /* It is advice only: where it fails, nothing changes. */
    (void)madvise((void *)first, start + part->p_memsz - first, MADV_RANDOM);
  }
  return 0;
}

static napi_value read_single_pages(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  dl_iterate_phdr(advise, &page_size);
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
      {"trim", NULL, trim, NULL, NULL, NULL, napi_default, NULL},
  };
  const size_t count = sizeof functions / sizeof *functions;
  return napi_define_properties(env, exports, count, functions) == napi_ok ? exports : NULL;
}
