/* Peer of keys.helper_c: the least that a key helper could do. Opens a file, reads one line, prints it. */
#include <stdio.h>

int main(int argc, char **argv)
{
    char line[4096];
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;

    if (f == NULL || fgets(line, sizeof line, f) == NULL)
        return 1;
    fputs(line, stdout);
    return 0;
}
