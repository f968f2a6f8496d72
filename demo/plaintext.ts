/** Looks for texts of the original image in every blob of the confidential one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';

export interface Searched {
  readonly blobs: number;
  readonly bytes: number;
  /** `marker in blob` for each find. */
  readonly found: readonly string[];
}

function forms(blob: Buffer): Buffer[] {
  if (blob[0] === 0x1f && blob[1] === 0x8b) return [blob, gunzipSync(blob)];
  if (blob.length > 4 && blob.readUInt32LE(0) === 0xfd2fb528) return [blob, zstdDecompressSync(blob)];
  return [blob];
}

/** Searches every file of the layout but the blobs named in `except` (`sha256:…`), as stored and decompressed. */
export function searchPlaintext(
  layout: string,
  markers: readonly string[],
  except: readonly string[],
): Searched {
  const blobs = join(layout, 'blobs', 'sha256');
  const files = [
    join(layout, 'index.json'),
    ...readdirSync(blobs)
      .filter((name) => !except.includes(`sha256:${name}`))
      .map((name) => join(blobs, name)),
  ];
  let bytes = 0;
  const found: string[] = [];
  for (const file of files) {
    for (const form of forms(readFileSync(file))) {
      bytes += form.length;
      for (const marker of markers)
        if (form.includes(marker)) found.push(`${JSON.stringify(marker)} in ${file}`);
    }
  }
  return { blobs: files.length, bytes, found };
}
