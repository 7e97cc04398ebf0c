"""
Bodies of files: documents with their versions and links, and attachments.

One document per document, its versions in their order, then its links; links that an upload makes by
itself are read, not inserted. One request for each file, streamed. Of each file a note is on disk
before it is sent and after: where the answer is lost, the org is asked what it has.

- ``choosing``: which files of a snapshot are meant, and how they stand in the org
- ``notes``: what is on disk of each
- ``one_file``: one upload, never twice
- ``sending``: FACE: ``FileRestore``
"""
