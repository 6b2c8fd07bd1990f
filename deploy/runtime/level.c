/* level.c: which level of the library runs: the best one that this CPU has all features for, chosen at load time. */
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define LEVEL_VARIABLE "B2NN_LEVEL" /* the instruction set of the level to run instead, to compare levels and test them */

const b2nn_program *b2nn_running = b2nn_levels;
static int unknown; /* whether a level was asked for that the library does not have */

static const char *missing(const b2nn_program *level) {
    for (const char *const *feature = level->requires; *feature; feature++)
        if (!b2nn_cpu_has(*feature)) return *feature;
    return NULL;
}

void b2nn_choose_level(const char *isa) {
    if (isa && !*isa) isa = NULL; /* as a variable that is not set */
    unknown = isa && b2nn_level_count > 1;
    b2nn_running = b2nn_levels;
    for (const b2nn_program *level = b2nn_levels; level < b2nn_levels + b2nn_level_count; level++) {
        if (isa ? strcmp(level->isa, isa) : level != b2nn_levels && missing(level)) continue;
        b2nn_running = level;
        unknown = 0;
    }
}

__attribute__((constructor)) static void choose_when_loaded(void) {
    b2nn_choose_level(getenv(LEVEL_VARIABLE));
}

const char *b2nn_cpu_missing(void) { return unknown ? "the level that " LEVEL_VARIABLE " names" : missing(b2nn_running); }
