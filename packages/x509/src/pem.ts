import { X509Error } from './errors.ts';

const begin = '-----BEGIN ';
const dashes = '-----';

/**
 * The DER of every block with `label` in `text`, in order. Text between blocks is ignored, as RFC 7468 §2 allows; at most `limit` blocks.
 * Attacker-controlled: the scan is linear.
 */
export function pemBlocks(text: string, label: string, limit: number): Uint8Array[] {
  const head = `${begin}${label}${dashes}`;
  const foot = `-----END ${label}${dashes}`;
  const blocks: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const start = text.indexOf(head, at);
    if (start < 0) return blocks;
    const end = text.indexOf(foot, start + head.length);
    if (end < 0) throw new X509Error('X509_PEM', `PEM: ${foot} expected, the end found`);
    if (blocks.length === limit)
      throw new X509Error('X509_SIZE', `PEM: at most ${limit} blocks expected, more found`);
    const body = text.slice(start + head.length, end);
    try {
      blocks.push(Uint8Array.fromBase64(body, { lastChunkHandling: 'strict' }));
    } catch (cause) {
      throw new X509Error('X509_PEM', 'PEM: base64 expected, other text found', { cause });
    }
    at = end + foot.length;
  }
}

/** One PEM block with lines of 64 characters. */
export function pemEncode(der: Uint8Array, label: string): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `${begin}${label}${dashes}\n${lines.join('\n')}\n-----END ${label}${dashes}\n`;
}
