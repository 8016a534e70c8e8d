"""The one server that processes to be killed are forked from: everything imported, nothing used.

A session has one such server, whoever starts it; so all tests that fork name the same imports here,
and none pays seconds of import for each process that it kills.
"""

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["__main__", "tests.faults.imported"])
