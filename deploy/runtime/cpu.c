/* cpu.c: the check that this CPU has the features that the kernels were compiled for, by their names in Linux. */
#include <stdio.h>
#include <string.h>

#include "program.h"

#if defined(__aarch64__) || defined(__arm__)
#include <sys/auxv.h>

/* Bits of AT_HWCAP: arch/arm64/include/uapi/asm/hwcap.h and arch/arm/include/uapi/asm/hwcap.h of Linux. */
static const struct {
    const char *name;
    int bit;
} hwcaps[] = {
#if defined(__aarch64__)
    {"fp", 0}, {"asimd", 1}, {"aes", 3}, {"pmull", 4}, {"sha1", 5}, {"sha2", 6}, {"crc32", 7},
    {"atomics", 8}, {"fphp", 9}, {"asimdhp", 10}, {"asimdrdm", 12}, {"lrcpc", 15}, {"asimddp", 20},
#else
    {"vfp", 6}, {"neon", 12}, {"vfpv3", 13}, {"vfpv4", 16}, {"idiva", 17}, {"idivt", 18}, {"vfpd32", 19},
#endif
};

static int has(const char *feature) {
    unsigned long bits = getauxval(AT_HWCAP);
    for (size_t i = 0; i < sizeof hwcaps / sizeof *hwcaps; i++)
        if (!strcmp(hwcaps[i].name, feature)) return (int)(bits >> hwcaps[i].bit & 1);
    return 1; /* a feature that is not in the table counts as present */
}
#else
/* The line of /proc/cpuinfo that lists the features of one CPU; "" where it cannot be read. */
static const char *flags(char *line, size_t size) {
    FILE *file = fopen("/proc/cpuinfo", "r");
    int found = 0;
    while (file && !found && fgets(line, (int)size, file)) found = !strncmp(line, "flags", 5);
    if (file) fclose(file);
    if (!found) line[0] = '\0';
    return line;
}

static int has(const char *feature) {
    char line[8192];
    size_t length = strlen(feature);
    const char *at = flags(line, sizeof line);
    if (!*at) return 1; /* without a list of features, all count as present */
    while ((at = strstr(at + 1, feature)))
        if (at[-1] == ' ' && (at[length] == ' ' || at[length] == '\n')) return 1;
    return 0;
}
#endif

const char *b2nn_cpu_missing(void) {
    for (const char *const *feature = b2nn_the_program.requires; *feature; feature++)
        if (!has(*feature)) return *feature;
    return NULL;
}
