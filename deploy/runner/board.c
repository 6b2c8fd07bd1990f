/* board.c: the system's facts about the machine, as the Python package's DeviceDescription and Conditions name them. */
#include <ctype.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runner.h"

static const char cpufreq[] = "/sys/devices/system/cpu/cpu0/cpufreq/";

/* The beginning of a small file, without white space at the end; "" where there is no such file. */
static char *read_text(const char *folder, const char *name, char *text, size_t size) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", folder, name);
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(text, 1, size - 1, file) : 0;
    if (file) fclose(file);
    while (length && (isspace((unsigned char)text[length - 1]) || !text[length - 1])) length--;
    text[length] = '\0';
    return text;
}

static long read_number(const char *folder, const char *name, long otherwise) {
    char text[64], *end;
    long value = strtol(read_text(folder, name, text, sizeof text), &end, 10);
    return end == text ? otherwise : value;
}

/* On ARM, /proc/cpuinfo gives only part numbers of CPUs (Arm's "MIDR_EL1" tables, implementer 0x41). */
static const struct {
    unsigned part;
    const char *name;
} parts[] = {
    {0xc07, "Cortex-A7"},  {0xc08, "Cortex-A8"},  {0xc09, "Cortex-A9"},   {0xc0f, "Cortex-A15"},  {0xd03, "Cortex-A53"},
    {0xd04, "Cortex-A35"}, {0xd05, "Cortex-A55"}, {0xd07, "Cortex-A57"},  {0xd08, "Cortex-A72"},  {0xd09, "Cortex-A73"},
    {0xd0a, "Cortex-A75"}, {0xd0b, "Cortex-A76"}, {0xd0c, "Neoverse-N1"}, {0xd40, "Neoverse-V1"}, {0xd49, "Neoverse-N2"},
    {0xd4f, "Neoverse-V2"},
};

static void part_name(unsigned part, char *name, size_t size) {
    snprintf(name, size, "part 0x%x", part);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].part == part) snprintf(name, size, "%s", parts[i].name);
}

/* The CPU's name: x86 states it; on ARM it is made of the names of all kinds of cores, in order of their numbers. */
static void cpu_name(char *name, size_t size) {
    char line[1024];
    unsigned seen[8], count = 0, part;
    FILE *file = fopen("/proc/cpuinfo", "r");
    name[0] = '\0';
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (!value) continue;
        value += strspn(value, ": ");
        value[strcspn(value, "\n")] = '\0';
        if (!strncmp(line, "model name", 10) && !name[0]) snprintf(name, size, "%s", value);
        if (strncmp(line, "CPU part", 8) || sscanf(value, "%x", &part) != 1) continue;
        unsigned at = 0;
        while (at < count && seen[at] < part) at++;
        if ((at < count && seen[at] == part) || count == sizeof seen / sizeof *seen) continue;
        memmove(seen + at + 1, seen + at, (count - at) * sizeof *seen);
        seen[at] = part;
        count++;
    }
    if (file) fclose(file);
    for (unsigned i = 0, used = 0; i < count && !(i == 0 && name[0]) && used + 1 < size; i++) {
        char one[32];
        part_name(seen[i], one, sizeof one);
        used += (unsigned)snprintf(name + used, size - used, "%s%s", i ? " + " : "", one);
    }
}

/* QEMU's user mode shows ARM programs the /proc of an x86 machine, whose text names a vendor. */
int is_emulated(void) {
#if defined(__arm__) || defined(__aarch64__)
    char text[256];
    return strstr(read_text("/proc/", "cpuinfo", text, sizeof text), "vendor_id") != NULL;
#else
    return 0;
#endif
}

static int usable_cpus(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

static long memory_mib(void) {
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "MemTotal: %ld", &kib) != 1) continue;
    if (file) fclose(file);
    return kib / 1024;
}

void print_device(void) {
    struct utsname system;
    char text[256], cpu[256];
    if (uname(&system)) memset(&system, 0, sizeof system);
    fputs("\"device\": {", stdout);
    print_member("name", system.nodename);
    fputs(", ", stdout);
    print_member("board", read_text("/proc/device-tree/", "model", text, sizeof text));
    fputs(", ", stdout);
    cpu_name(cpu, sizeof cpu);
    print_member("cpu", cpu);
    fputs(", ", stdout);
    print_member("arch", system.machine);
    printf(", \"cpus\": %d, ", usable_cpus());
    print_member("governor", read_text(cpufreq, "scaling_governor", text, sizeof text));
    printf(", \"max_mhz\": %ld, \"memory_mib\": %ld, ", read_number(cpufreq, "cpuinfo_max_freq", 0) / 1000, memory_mib());
    snprintf(text, sizeof text, "%.64s %.128s", system.sysname, system.release);
    print_member("system", text);
    printf(", \"emulated\": %s}", is_emulated() ? "true" : "false");
}

/* The driver of the Raspberry Pi's power supply reports under-voltage as an alarm of the hwmon class. */
static int under_voltage(void) {
    char folder[64], name[32];
    for (int i = 0; i < 16; i++) {
        snprintf(folder, sizeof folder, "/sys/class/hwmon/hwmon%d/", i);
        if (!strcmp(read_text(folder, "name", name, sizeof name), "rpi_volt")) return read_number(folder, "in0_lcrit_alarm", 0) != 0;
    }
    return 0;
}

void print_conditions(void) {
    long khz = read_number(cpufreq, "scaling_cur_freq", 0);
    long millidegrees = read_number("/sys/class/thermal/thermal_zone0/", "temp", -1);
    printf("\"conditions\": {\"mhz\": %ld, \"temperature_c\": ", khz / 1000);
    millidegrees < 0 ? printf("null") : printf("%.1f", (double)millidegrees / 1000);
    fputs(", ", stdout);
    print_member("throttled", under_voltage() ? "under-voltage now" : "");
    putchar('}');
}

/* The first line of /proc/stat counts ticks of all CPUs: user, nice, system, idle, iowait, irq, softirq and steal (proc(5));
 * sandboxes show a line of zeros. */
cpu_time system_cpu_time(void) {
    unsigned long long ticks[8] = {0}, busy = 0;
    FILE *file = fopen("/proc/stat", "r");
    int complete = file && fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", ticks, ticks + 1, ticks + 2, ticks + 3,
                                    ticks + 4, ticks + 5, ticks + 6, ticks + 7) == 8;
    if (file) fclose(file);
    for (int i = 0; i < 7; i++) busy += i == 3 || i == 4 ? 0 : ticks[i];
    if (!complete || !(busy + ticks[3])) return (cpu_time){-1, -1};
    double tick_ms = 1000.0 / (double)sysconf(_SC_CLK_TCK);
    return (cpu_time){(double)busy * tick_ms, (double)ticks[7] * tick_ms};
}
