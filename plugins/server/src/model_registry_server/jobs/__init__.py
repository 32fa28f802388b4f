"""Long work: jobs that are remembered, and the processes that do them.

::

    tasks      what can be done                     ┐
    quick      … while a caller waits               │
    comparing  … with two versions                  │
    worker     a process that does it               ├ the worker's side
    parts      … before the end of a task           │
    channel    what it hears and says               ┘
    protocol   the lines between both
    failures   an error as a document, and back
    process    one worker, as the server sees it    ┐
    pool       all of them                          │
    job        what is to be done, is, or was       ├ the server's side
    store      the jobs in the server's state       │
    board      who waits for news of a job          │
    runner     jobs taken from the store to the pool┘

A job whose server dies is begun again by the next one, so a task is done at least once. What it did before was either
finished by the registry or left no trace: the registry may be killed at any moment.
"""
