"""
The Metadata API: four operations of its SOAP interface, and the zip that a retrieve brings.

``xml`` reads an answer as it arrives; ``api`` has the operations; ``archive`` reads the zip.

The SOAP is our own: the WSDL that a library such as zeep needs is served to a browser's session
only, and such a library holds the whole answer in memory, zip and all. Here a zip of any size goes
to the disk as it arrives, within bounds, through the gate like each call.
"""
