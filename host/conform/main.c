/* bridle-conform -- the conformance kit as a program. */
#include "host/conform/kit.h"

int main(int argc, char **argv)
{
    return conform_main(argc, argv, NULL);
}
