/* load.c: open the library of a compiled network, or report why it does not fit this machine or this program. */
#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build_info.h"
#include "runner.h"

enum { EF_ARM_ABI_FLOAT_SOFT = 0x200 }; /* "ELF for the Arm Architecture", 4.1.2 */

static uint64_t little_endian(const uint8_t *bytes, int count) {
    return count ? bytes[0] | little_endian(bytes + 1, count - 1) << 8 : 0;
}

/* The bytes of the whole file: the end of the table of sections, which linkers put last. A library that was cut short
 * would crash dlopen. */
static uint64_t bytes_of(const uint8_t *header) {
    int wide = header[4] == 2;
    uint64_t table = little_endian(header + (wide ? 40 : 32), wide ? 8 : 4);
    return table + little_endian(header + (wide ? 58 : 46), 2) * little_endian(header + (wide ? 60 : 48), 2);
}

/* Of a library for another machine, dlopen only says that it does not exist; the file itself tells more. */
static void check_machine(const char *path) {
    uint8_t header[64] = {0};
    FILE *file = fopen(path, "rb");
    if (!file) fail(FAILED, "%s: expected the library of a compiled network, but cannot open it", path);
    size_t got = fread(header, 1, sizeof header, file);
    long bytes = fseek(file, 0, SEEK_END) ? -1 : ftell(file);
    fclose(file);
    if (got < sizeof header || memcmp(header, "\177ELF", 4) || header[5] != 1)
        fail(FAILED, "%s: expected the library of a compiled network, or a JPEG, PNG, PPM or PGM file, but it is neither",
             path);
    const machine *theirs = machine_of((uint16_t)(header[18] | header[19] << 8));
    const machine *own = own_machine();
    if (theirs != own)
        fail(FAILED, "%s: the library is for %s, but this program and this system are for %s; use the bundle for %s", path,
             theirs ? theirs->name : "another kind of CPU", own->name, own->name);
    if (own->code == 40 && header[37] << 8 & EF_ARM_ABI_FLOAT_SOFT)
        fail(FAILED, "%s: the library passes floats in integer registers (soft float), but this system in those of the FPU",
             path);
    if (bytes >= 0 && (uint64_t)bytes < bytes_of(header))
        fail(FAILED, "%s: the library is cut short: %ld bytes of %llu; copy it again", path, bytes,
             (unsigned long long)bytes_of(header));
}

static void *symbol(void *library, const char *path, const char *name) {
    void *address = dlsym(library, name);
    if (!address)
        fail(FAILED, "%s: the library has no function %s: it is no compiled network, or one of an older version; compile it again",
             path, name);
    return address;
}

/* The path of the library: the named file, the library in the named folder, or the library beside this program. It has a
 * slash, as dlopen looks for a name without one among the system's libraries. */
static void find_library(const char *named, char *path, size_t size) {
    char folder[4096];
    struct stat status;
    int used;
    if (named && (stat(named, &status) || !S_ISDIR(status.st_mode))) {
        used = snprintf(path, size, "%s%s", strchr(named, '/') ? "" : "./", named);
    } else if (named) {
        used = snprintf(path, size, "%s/%s", named, B2NN_LIBRARY);
        if (used < (int)size && access(path, F_OK))
            fail(FAILED,
                 "%s: this folder has neither a compiled network (%s) nor JPEG, PNG, PPM or PGM files in it; name one"
                 " of the folders in it, if they have them",
                 named, B2NN_LIBRARY);
    } else {
        ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
        char *slash = length > 0 ? (folder[length] = '\0', strrchr(folder, '/')) : NULL;
        if (!slash) fail(FAILED, "cannot tell where this program is; name the library");
        *slash = '\0';
        used = snprintf(path, size, "%s/%s", folder, B2NN_LIBRARY);
    }
    if (used >= (int)size) fail(FAILED, "the path of the library is too long");
}

net load_library(const char *named) {
    char path[8192];
    net loaded;
    find_library(named, path, sizeof path);
    check_machine(path);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail(FAILED, "%s", dlerror());
    loaded.b2nn_abi_version_ = __extension__(__typeof__(&b2nn_abi_version)) symbol(library, path, "b2nn_abi_version");
    if (loaded.b2nn_abi_version_() != B2NN_ABI_VERSION)
        fail(FAILED, "%s: the library has version %d of the C interface, this program %d; use both from one bundle", path,
             (int)loaded.b2nn_abi_version_(), B2NN_ABI_VERSION);
#define LOAD(name) loaded.name##_ = __extension__(__typeof__(&name)) symbol(library, path, #name);
    B2NN_FUNCTIONS(LOAD)
    if (loaded.b2nn_cpu_missing_())
        fail(FAILED, "%s: the library is for target %s, and this CPU lacks %s; compile the network for a target that it has", path,
             loaded.b2nn_target_(), loaded.b2nn_cpu_missing_());
    if (loaded.b2nn_input_count_() > MAX_TENSORS || loaded.b2nn_output_count_() > MAX_TENSORS)
        fail(FAILED, "%s: the network has more than %d inputs or outputs", path, MAX_TENSORS);
    return loaded;
}
