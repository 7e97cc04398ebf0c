"""
Records written by API: single ones, collections, Bulk batches, all by the same rules.

``saver.Saver`` is the face. A batch is checked as a whole, with a few statements for any number of
records: ``intake`` reads what was sent, ``references`` and ``unique`` compare it with what is
stored, ``rules`` does what an admin has set up, ``standard_objects`` knows the objects with rules of
their own, ``files`` completes ContentVersions.
"""
