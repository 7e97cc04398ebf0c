"""
Bodies of files on disk: each content once, under its SHA-256, and an index of whose body it is.

Words: a **body** is what a record has in a base64 field (``ContentVersion.VersionData``), or an
image pasted into a rich-text field. Its **version** is what tells one body of a record from
the next: the record's MD5 where Salesforce keeps one, else the moment of its last change.

==============  ==================================================================================
``fields``      which fields of an object hold bodies, and what proves one (pure)
``content``     the files: received whole and checked, or not at all
``index``       which version of which record's field has which content
``records``     the records of a snapshot that have bodies
``listing``     the bodies of a snapshot, held and missing; a body written out
``check``       whether every body still is what was received, for ``verify``
==============  ==================================================================================

A content is on disk before the index names it. A kill in between leaves a file that nothing names;
the body is fetched again and takes its place. docs/format.md describes the files.
"""
