#include "app/commands.h"

#include <stdlib.h>
#include <unistd.h>

/* Memory in large pages, where the system lends them on request: opening the knee's model touches 47,000
 * small ones, which in a virtual machine costs a third of the time to the first result. The C library takes
 * this from its environment when a program begins, and only then: the program begins once more, with it.
 * Whoever sets GLIBC_TUNABLES, to whatever, is not interfered with. */
static void begin_in_large_pages(char **argv)
{
    if (getenv("GLIBC_TUNABLES") == NULL && setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0) == 0) {
        (void)execv("/proc/self/exe", argv); /* returns only where it cannot */
    }
}

int main(int argc, char **argv)
{
    begin_in_large_pages(argv);
    return app_main(argc, argv);
}
