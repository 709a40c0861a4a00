/* test_replica_data -- a replica server that keeps data, among scripted ones. */
#include "t/replica_files.h"

int main(void)
{
    return test_run("replica_data", replica_data(), replica_take_data(), replica_give_data(), NULL);
}
