import { isNull, nounOf, type YamlNode } from '../yaml/node.ts';
import { invalid, type Form, type Invalid } from './form.ts';
import { suggest } from './suggestion.ts';
import type { Place } from './place.ts';

export interface TextRule {
  /** Completes “… expected, … found”. */
  readonly expected: string;
  readonly pattern?: RegExp;
  /** UTF-16 units; 65536 where nothing else is said. */
  readonly maxLength?: number;
  readonly minLength?: number;
}

/** A string; plain numbers and booleans count as the text they were written as. */
export function text(rule: TextRule): Form<string> {
  const { expected, pattern, maxLength = 65_536, minLength = 0 } = rule;
  return {
    schema: {
      type: ['string', 'number', 'boolean'],
      description: expected,
      ...(pattern ? { pattern: pattern.source } : {}),
      maxLength,
      ...(minLength > 0 ? { minLength } : {}),
    },
    read(node, place) {
      const value = scalar(node, place, expected);
      if (value === invalid) return invalid;
      if (value.length > maxLength) {
        place.error(node.offset, `at most ${maxLength} characters expected, ${value.length} found`);
        return invalid;
      }
      if (value.length < minLength || (pattern && !pattern.test(value))) {
        place.error(node.offset, `${expected} expected, ${found(node, value)} found`);
        return invalid;
      }
      return value;
    },
  };
}

/** Text that may also be empty and null (`environment` values): null is the empty string. */
export function freeText(maxLength = 262_144): Form<string> {
  const inner = text({ expected: 'a string', maxLength });
  return {
    schema: { type: ['string', 'number', 'boolean', 'null'], maxLength },
    read: (node, place) => (isNull(node) ? '' : inner.read(node, place)),
  };
}

export function scalar(node: YamlNode, place: Place, expected: string): string | Invalid {
  if (node.type !== 'scalar' || isNull(node)) {
    place.error(node.offset, `${expected} expected, ${nounOf(node)} found`);
    return invalid;
  }
  if (node.tag !== undefined) {
    place.error(node.offset, `${expected} expected, one with the tag ${node.tag.slice(0, 60)} found`);
    return invalid;
  }
  return node.text;
}

/** Short single-line values are shown; anything else may be a secret or a wall of text. */
function found(node: YamlNode, value: string): string {
  return /^[\x20-\x7e]{1,80}$/.test(value) ? `\`${value}\`` : nounOf(node);
}

const integerPattern = /^(?:0|[1-9][0-9]*|0o[0-7]+|0x[0-9a-fA-F]+)$/;

/** A whole number ≥ 0, decimal, `0o…` or `0x…`; a quoted one counts too (templating gives strings). */
export function integer(rule: {
  readonly min: number;
  readonly max: number;
  readonly expected: string;
}): Form<number> {
  const { min, max, expected } = rule;
  return {
    schema: {
      anyOf: [
        { type: 'integer', minimum: min, maximum: max },
        { type: 'string', pattern: integerPattern.source },
      ],
      description: expected,
    },
    read(node, place) {
      const value = scalar(node, place, expected);
      if (value === invalid) return invalid;
      if (/^0[0-7]+$/.test(value)) {
        place.error(node.offset, `${expected} expected, \`${value}\` found`, () => `0o${value.slice(1)}`);
        return invalid;
      }
      const number = integerPattern.test(value) ? Number(value) : Number.NaN;
      if (!Number.isSafeInteger(number) || number < min || number > max) {
        place.error(node.offset, `${expected} expected, ${found(node, value)} found`);
        return invalid;
      }
      return number;
    },
  };
}

export function boolean(): Form<boolean> {
  return {
    schema: { anyOf: [{ type: 'boolean' }, { enum: ['true', 'false'] }] },
    read(node, place) {
      const value = scalar(node, place, 'true or false');
      if (value === invalid) return invalid;
      if (/^(?:true|True|TRUE)$/.test(value)) return true;
      if (/^(?:false|False|FALSE)$/.test(value)) return false;
      place.error(node.offset, `true or false expected, ${found(node, value)} found`);
      return invalid;
    },
  };
}

/** One of a closed list of words; `aliases` are accepted with a warning and turned into the proper word. */
export function oneOf<const T extends string>(
  words: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
): Form<T> {
  const expected = words.length > 1 ? `one of ${words.join(', ')}` : `${words[0] ?? ''}`;
  return {
    schema: { enum: [...words, ...Object.keys(aliases)] },
    read(node, place) {
      const value = scalar(node, place, expected);
      if (value === invalid) return invalid;
      const word = words.find((candidate) => candidate === value);
      if (word !== undefined) return word;
      const alias = Object.hasOwn(aliases, value) ? aliases[value] : undefined;
      if (alias !== undefined) {
        place.warning(node.offset, `\`${value}\` is read as \`${alias}\``, () => alias);
        return alias;
      }
      place.error(node.offset, `${expected} expected, ${found(node, value)} found`, () =>
        suggest(value, words),
      );
      return invalid;
    },
  };
}
