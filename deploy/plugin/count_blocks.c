/* count_blocks.c: a QEMU plugin that counts how often each run of instructions is executed.
 *
 * Arguments: first=ADDRESS, end=ADDRESS (of the code to count), out=FILE. The file gets one line for each translated run
 * that was executed: its address, its number of instructions and its executions, in decimal. Runs may overlap.
 *
 * No distribution packages the header qemu-plugin.h, so the few declarations that are used stand here. They are the
 * same in all versions of the interface: QEMU before 9 asks for version 1, later ones ask for 2 or more (-DVERSION=).
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef VERSION
#define VERSION 1
#endif
#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum { CB_NO_REGS };
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

EXPORT int qemu_plugin_version = VERSION;

typedef struct block {
    struct block *next;
    uint64_t address, instructions, executions;
} block;

static block *blocks;
static uint64_t first, end = UINT64_MAX;
static const char *out;

static void executed(unsigned cpu, void *counted) {
    (void)cpu;
    ((block *)counted)->executions++;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb) {
    (void)id;
    uint64_t address = qemu_plugin_tb_vaddr(tb);
    if (address < first || address >= end) return;
    block *new = calloc(1, sizeof *new);
    if (!new) abort();
    new->address = address;
    new->instructions = qemu_plugin_tb_n_insns(tb);
    new->next = blocks;
    blocks = new;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, CB_NO_REGS, new);
}

static void finish(plugin_id id, void *unused) {
    (void)id, (void)unused;
    FILE *file = fopen(out, "w");
    if (!file) return;
    for (block *one = blocks; one; one = one->next)
        if (one->executions)
            fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", one->address, one->instructions, one->executions);
    fclose(file);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "first=", 6)) first = strtoull(argv[i] + 6, NULL, 0);
        if (!strncmp(argv[i], "end=", 4)) end = strtoull(argv[i] + 4, NULL, 0);
        if (!strncmp(argv[i], "out=", 4)) out = strdup(argv[i] + 4);
    }
    if (!out) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}
