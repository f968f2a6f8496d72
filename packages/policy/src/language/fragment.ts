import type { Json } from '@ensconce/base/json';
import { isNull, type YamlNode } from '../yaml/node.ts';
import { invalid, type Form } from '../form/form.ts';

/** Any structure, as plain data. Scalars other than null stay text: what they mean is decided where they are used. */
export function plainData(node: YamlNode): Json {
  if (node.type === 'list') return node.items.map((item) => plainData(item));
  if (node.type === 'map') {
    const pairs = node.entries.map((entry): [string, Json] => [entry.key, plainData(entry.value)]);
    return Object.fromEntries(pairs);
  }
  return isNull(node) ? null : node.text;
}

/** A node for data that did not come from this text: every place is that of the reference it stands for. */
export function nodeOf(data: Json, offset: number): YamlNode {
  if (Array.isArray(data)) {
    return { type: 'list', offset, items: data.map((item: Json) => nodeOf(item, offset)), tag: undefined };
  }
  if (typeof data === 'object' && data !== null) {
    const entries = Object.entries(data).flatMap(([key, value]) =>
      value === undefined ? [] : [{ key, keyOffset: offset, value: nodeOf(value, offset) }],
    );
    return { type: 'map', offset, entries, tag: undefined };
  }
  return {
    type: 'scalar',
    offset,
    text: data === null ? '' : String(data),
    plain: data === null,
    tag: undefined,
  };
}

export const anyData: Form<Json> = {
  schema: {},
  read(node, place) {
    const tagged = firstTagged(node);
    if (!tagged) return plainData(node);
    place.error(
      tagged.offset,
      `data without YAML tags expected, the tag ${tagged.tag?.slice(0, 60) ?? ''} found`,
    );
    return invalid;
  },
};

function firstTagged(node: YamlNode): YamlNode | undefined {
  if (node.tag !== undefined) return node;
  const children =
    node.type === 'list' ? node.items : node.type === 'map' ? node.entries.map(({ value }) => value) : [];
  for (const child of children) {
    const found = firstTagged(child);
    if (found) return found;
  }
  return undefined;
}
