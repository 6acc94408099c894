"""Marks a PDF/A-3 that carries an e-invoice as a Factur-X document.

Readers recognise one by four values in the PDF's XMP metadata, which typst cannot write. They are put into the metadata
that typst wrote; as that stream is stored plainly and the file has one cross-reference table, only later offsets move.
"""

from __future__ import annotations

import re

from counterfoil.documents.einvoice import FILE_NAME, PROFILE

__all__ = ["mark_as_factur_x"]

_NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_VALUES = {
    "DocumentType": ("INVOICE", "INVOICE"),
    "DocumentFileName": (FILE_NAME, "name of the embedded XML invoice file"),
    "Version": ("1.0", "version of the Factur-X XML schema"),
    "ConformanceLevel": (PROFILE, "conformance level of the embedded Factur-X data"),
}
_SCHEMA = (
    '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>'
    f"<pdfaSchema:namespaceURI>{_NAMESPACE}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
    "<pdfaSchema:property><rdf:Seq>"
    + "".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaProperty:name>{name}</pdfaProperty:name><pdfaProperty:valueType>Text</pdfaProperty:valueType>"
        "<pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{description}</pdfaProperty:description></rdf:li>"
        for name, (_, description) in _VALUES.items()
    )
    + "</rdf:Seq></pdfaSchema:property></rdf:li>"
)
_MARK = (
    f'<rdf:Description rdf:about="" xmlns:fx="{_NAMESPACE}">'
    + "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _VALUES.items())
    + "</rdf:Description>"
)
_METADATA = re.compile(rb"<</Length (\d+)/Type/Metadata/Subtype/XML>>\nstream\n(.*?)\nendstream", re.DOTALL)
_ENTRY = re.compile(rb"(\d{10}) (\d{5} n)")


def mark_as_factur_x(pdf: bytes) -> bytes:
    """The same PDF with the Factur-X values in its metadata; ``ValueError`` for one that is no PDF/A of typst."""
    found = _METADATA.search(pdf)
    table_at = pdf.rfind(b"\nxref\n") + 1
    if found is None or table_at < found.end():
        raise ValueError("this PDF has no metadata that can be extended")
    metadata = found.group(2)
    schemas_end = b"</rdf:Bag></pdfaExtension:schemas>"
    if metadata.count(schemas_end) != 1 or metadata.count(b"</rdf:RDF>") != 1:
        raise ValueError("this PDF's metadata are not those of a PDF/A")
    metadata = metadata.replace(schemas_end, _SCHEMA.encode() + schemas_end)
    metadata = metadata.replace(b"</rdf:RDF>", _MARK.encode() + b"</rdf:RDF>")
    stream = b"<</Length %d/Type/Metadata/Subtype/XML>>\nstream\n%s\nendstream" % (len(metadata), metadata)
    grown = len(stream) - (found.end() - found.start())

    def moved(entry: re.Match[bytes]) -> bytes:
        offset = int(entry.group(1))
        return b"%010d %s" % (offset + grown if offset > found.start() else offset, entry.group(2))

    table, _, ending = pdf[table_at:].partition(b"trailer")
    ending = re.sub(rb"startxref\n\d+", b"startxref\n%d" % (table_at + grown), ending)
    return pdf[: found.start()] + stream + pdf[found.end() : table_at] + _ENTRY.sub(moved, table) + b"trailer" + ending
