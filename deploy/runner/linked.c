/* linked.c: the network that is a part of this program; it takes the place of load.c in a static program. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build_info.h"
#include "runner.h"

/* Whether `path` is the file of this program. The link is read, as an emulator shows its own program to those who follow
 * it. */
static int is_this_program(const char *path) {
    char program[4096];
    struct stat named, own;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) return 0;
    program[length] = '\0';
    return !stat(path, &named) && !stat(program, &own) && named.st_dev == own.st_dev && named.st_ino == own.st_ino;
}

void b2nn_choose_level(const char *isa); /* in runtime/level.c, which has read the variable before main began */

net load_library(const char *named) {
    if (named && !is_this_program(named))
        fail(FAILED, "%s: this program is static: it has a network of its own and loads no other; leave the library out, or "
                     "compile the network without --static", named);
    net linked;
    b2nn_choose_level(getenv(LEVEL_VARIABLE));
#define LINK(name) linked.name##_ = name;
    B2NN_FUNCTIONS(LINK)
    if (linked.b2nn_cpu_missing_())
        fail(FAILED, "the network is for target %s, and this CPU lacks %s; compile the network for a target that it has",
             linked.b2nn_target_(), linked.b2nn_cpu_missing_());
    if (linked.b2nn_input_count_() > MAX_TENSORS || linked.b2nn_output_count_() > MAX_TENSORS)
        fail(FAILED, "the network has more than %d inputs or outputs", MAX_TENSORS);
    return linked;
}
