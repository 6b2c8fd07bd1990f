/* machine.c: the kinds of CPU that there are libraries for. */
#include "runner.h"

static const machine machines[] = {
    {62, 2, "x86_64", "64-bit x86"}, {3, 1, "i686", "32-bit x86"},
    {183, 2, "aarch64", "64-bit ARM"}, {40, 1, "armv7l", "32-bit ARM"},
};

#if defined(__x86_64__)
enum { OWN_MACHINE = 62 };
#elif defined(__i386__)
enum { OWN_MACHINE = 3 };
#elif defined(__aarch64__)
enum { OWN_MACHINE = 183 };
#elif defined(__arm__)
enum { OWN_MACHINE = 40 };
#else
#error "b2nn-run is for x86 and ARM"
#endif

const machine *machine_of(uint16_t code) {
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (machines[i].code == code) return &machines[i];
    return NULL;
}

const machine *own_machine(void) { return machine_of(OWN_MACHINE); }
