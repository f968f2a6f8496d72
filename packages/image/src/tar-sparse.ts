import { Buffer } from 'node:buffer';
import type { ByteSource } from './byte-source.ts';
import { blockSize, brokenTar, number } from './tar-header.ts';
import { paxInteger, type PaxRecords } from './tar-pax.ts';

/** A stored piece of a sparse file. */
export interface SparsePiece {
  readonly offset: number;
  readonly length: number;
}

export interface SparseMap {
  readonly pieces: readonly SparsePiece[];
  /** The size of the file with its holes. */
  readonly realSize: number;
}

const maxPieces = 1_000_000;

/** Pieces in order, not overlapping, inside the file, and together as long as what is stored. */
export function checkSparse(map: SparseMap, stored: number): SparseMap {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of map.pieces) {
    if (offset < end || offset + length > map.realSize)
      throw brokenTar('a sparse map in order and inside its file expected, another found');
    end = offset + length;
    sum += length;
  }
  if (sum !== stored) throw brokenTar(`sparse pieces of ${stored} bytes together expected, ${sum} found`);
  return map;
}

/** The old GNU form (type `S`): four pieces in the header, more in blocks that follow it. */
export async function oldGnuSparse(header: Uint8Array, source: ByteSource): Promise<SparseMap> {
  const pieces: SparsePiece[] = [];
  const take = (block: Uint8Array, at: number, count: number) => {
    for (let i = 0; i < count; i++) {
      const start = at + i * 24;
      if (block[start] === 0) continue;
      pieces.push({
        offset: number(block, start, 12, 'sparse offset'),
        length: number(block, start + 12, 12, 'sparse length'),
      });
    }
  };
  take(header, 386, 4);
  const realSize = number(header, 483, 12, 'real size');
  for (let more = header[482] !== 0; more;) {
    const block = await source.exactly(blockSize);
    if (block === undefined) throw brokenTar('a sparse map expected, the end of the archive found');
    if (pieces.length > maxPieces) throw brokenTar(`at most ${maxPieces} sparse pieces expected, more found`);
    take(block, 0, 21);
    more = block[504] !== 0;
  }
  return { pieces, realSize };
}

function pairs(numbers: readonly number[], realSize: number): SparseMap {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * maxPieces)
    throw brokenTar('pairs of sparse offset and length expected');
  const pieces: SparsePiece[] = [];
  for (let i = 0; i < numbers.length; i += 2)
    pieces.push({ offset: numbers[i] as number, length: numbers[i + 1] as number });
  return { pieces, realSize };
}

/** PAX sparse formats 0.0 and 0.1, whose map stands in the records; `undefined` where there is none. */
export function paxSparse(records: PaxRecords): SparseMap | undefined {
  const numbers: number[] = [];
  let realSize: number | undefined;
  let found = false;
  for (const [key, value] of records) {
    if (key === 'GNU.sparse.size' || key === 'GNU.sparse.realsize') realSize = paxInteger(value, key);
    else if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes')
      numbers.push(paxInteger(value, key));
    else if (key === 'GNU.sparse.numblocks') found = true;
    else if (key === 'GNU.sparse.map') {
      found = true;
      const list = Buffer.from(value).toString('latin1');
      if (list !== '') for (const item of list.split(',')) numbers.push(paxInteger(Buffer.from(item), key));
    }
  }
  if (!found || realSize === undefined) return undefined;
  return pairs(numbers, realSize);
}

/** PAX sparse format 1.0: the map is text at the start of the body. Says how many bytes of the body it took. */
export async function paxSparseBody(
  source: ByteSource,
  realSize: number,
  stored: number,
): Promise<{ map: SparseMap; taken: number }> {
  let taken = 0;
  let rest = '';
  const numbers: number[] = [];
  let wanted = 1;
  while (numbers.length < wanted) {
    const block = taken + blockSize <= stored ? await source.exactly(blockSize) : undefined;
    if (block === undefined) throw brokenTar('a sparse map expected, the end of the file found');
    taken += blockSize;
    const lines = (rest + Buffer.from(block).toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (numbers.length === wanted) break;
      numbers.push(paxInteger(Buffer.from(line), 'sparse map'));
      if (numbers.length === 1) {
        wanted = 1 + 2 * (numbers[0] as number);
        if (wanted > 2 * maxPieces)
          throw brokenTar(`at most ${maxPieces} sparse pieces expected, more found`);
      }
    }
    if (numbers.length < wanted && rest.length > 20) throw brokenTar('a sparse map of numbers expected');
  }
  return { map: pairs(numbers.slice(1), realSize), taken };
}
