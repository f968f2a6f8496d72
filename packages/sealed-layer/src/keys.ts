import { hkdfSync } from 'node:crypto';
import { encodeFields } from '@ensconce/base/fields';
import { utf8 } from '@ensconce/base/bytes';
import { formatName } from './format.ts';

function derive(secret: Uint8Array, label: string, fields: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(
    hkdfSync('sha256', secret, new Uint8Array(0), encodeFields(`${formatName} ${label}`, fields), 32),
  );
}

/**
 * The key of one sealed layer, 32 bytes.
 *
 * @param familySecret 32 bytes; layers made with it deduplicate among each other and with no one else's
 * @param diffId the original layer's OCI diff id (`sha256:…`)
 * @param compressor name and version of what compressed the chunks (`compressor` of the writer), so that other bytes
 *   from a newer one come under another key
 */
export function deriveLayerKey(familySecret: Uint8Array, diffId: string, compressor: string): Uint8Array {
  if (familySecret.length !== 32) throw new RangeError('a family secret has 32 bytes');
  return derive(familySecret, 'layer key', [utf8(diffId), utf8(compressor)]);
}

export interface LayerKeys {
  readonly encryption: Uint8Array;
  readonly nonce: Uint8Array;
}

/** What the header shows of the key: equal for equal keys, and no two keys share it. */
export function keyCommitment(layerKey: Uint8Array): Uint8Array {
  return derive(layerKey, 'key commitment', []);
}

/** The two subkeys of a layer key: AES-256-GCM, and the keyed hash that gives ids and nonces. */
export function layerKeys(layerKey: Uint8Array): LayerKeys {
  if (layerKey.length !== 32) throw new RangeError('a layer key has 32 bytes');
  return { encryption: derive(layerKey, 'encryption', []), nonce: derive(layerKey, 'nonce', []) };
}
