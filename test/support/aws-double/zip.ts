/** The files of a zip archive by its central directory: name and unpacked bytes. @throws Error for what is no zip. */
export function zipEntries(bytes: Buffer): Map<string, number> {
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0) throw new Error('Could not unzip uploaded file');
  const entries = new Map<string, number>();
  let at = bytes.readUInt32LE(end + 16);
  for (let n = bytes.readUInt16LE(end + 10); n > 0; n--) {
    const [name, extra, comment] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    entries.set(bytes.toString('utf8', at + 46, at + 46 + name), bytes.readUInt32LE(at + 24));
    at += 46 + name + extra + comment;
  }
  return entries;
}
