/* cpu.c: the features of this CPU that kernels are compiled for, by their names in Linux. */
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

int b2nn_cpu_has(const char *feature) {
    unsigned long bits = getauxval(AT_HWCAP);
    for (size_t i = 0; i < sizeof hwcaps / sizeof *hwcaps; i++)
        if (!strcmp(hwcaps[i].name, feature)) return (int)(bits >> hwcaps[i].bit & 1);
    return 0; /* a feature that is not in the table counts as missing: better to refuse than to crash */
}
#elif defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

enum { EAX, EBX, ECX, EDX };
enum { YMM = 0x6, ZMM = 0xe6 }; /* the registers that the system must save, as bits of the register XCR0 */

/* Bits of the answers of CPUID: Intel, "Software Developer's Manual", volume 2A, CPUID. */
static const struct {
    const char *name;
    int leaf, subleaf, output, bit;
    unsigned saved;
} features[] = {
    {"fma", 1, 0, ECX, 12, YMM}, {"popcnt", 1, 0, ECX, 23, 0}, {"avx2", 7, 0, EBX, 5, YMM}, {"bmi2", 7, 0, EBX, 8, 0},
    {"avx512f", 7, 0, EBX, 16, ZMM}, {"avx512dq", 7, 0, EBX, 17, ZMM}, {"avx512bw", 7, 0, EBX, 30, ZMM},
    {"avx512vl", 7, 0, EBX, 31, ZMM}, {"avx512_vnni", 7, 0, ECX, 11, ZMM}, {"avx512_vpopcntdq", 7, 0, ECX, 14, ZMM},
    {"avx_vnni", 7, 1, EAX, 4, YMM},
};

static int answer(int leaf, int subleaf, int output, int bit) {
    unsigned found[4];
    if (!__get_cpuid_count((unsigned)leaf, (unsigned)subleaf, &found[EAX], &found[EBX], &found[ECX], &found[EDX]))
        return 0;
    return (int)(found[output] >> bit & 1);
}

/* The registers that the system saves when it switches from one program to another: without, they cannot be used. */
static unsigned saved_registers(void) {
    unsigned low, high;
    if (!answer(1, 0, ECX, 27)) return 0; /* OSXSAVE: whether XCR0 can be read */
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

int b2nn_cpu_has(const char *feature) {
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (!strcmp(features[i].name, feature))
            return answer(features[i].leaf, features[i].subleaf, features[i].output, features[i].bit) &&
                   (saved_registers() & features[i].saved) == features[i].saved;
    return 0;
}
#else
int b2nn_cpu_has(const char *feature) { return !*feature; } /* no target is for another architecture */
#endif
