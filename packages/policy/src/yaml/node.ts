/**
 * YAML after reading: aliases resolved, duplicate keys refused, every node with its place in the text. Offsets are in
 * UTF-16 units from the start.
 */
export type YamlNode = ScalarNode | ListNode | MapNode;

export interface ScalarNode {
  readonly type: 'scalar';
  readonly offset: number;
  /** As written for plain scalars (`1.10` stays `1.10`), the content for quoted and block ones, after templating. */
  readonly text: string;
  /** Only plain scalars can be null, booleans or numbers. */
  readonly plain: boolean;
  readonly tag: string | undefined;
}

export interface ListNode {
  readonly type: 'list';
  readonly offset: number;
  readonly items: readonly YamlNode[];
  readonly tag: string | undefined;
}

export interface MapEntry {
  readonly key: string;
  readonly keyOffset: number;
  readonly value: YamlNode;
}

export interface MapNode {
  readonly type: 'map';
  readonly offset: number;
  readonly entries: readonly MapEntry[];
  readonly tag: string | undefined;
}

/** YAML 1.2 core schema, 10.3.2. */
export function isNull(node: YamlNode): boolean {
  return node.type === 'scalar' && node.plain && /^(?:~|null|Null|NULL|)$/.test(node.text);
}

/** What a person would call this node. Never its content, which may be a secret. */
export function nounOf(node: YamlNode): string {
  if (node.tag !== undefined)
    return `${nounOf({ ...node, tag: undefined })} with the tag ${node.tag.slice(0, 60)}`;
  if (node.type === 'map') return 'a map';
  if (node.type === 'list') return node.items.length === 0 ? 'an empty list' : 'a list';
  if (isNull(node)) return 'nothing';
  if (node.text === '') return 'an empty string';
  if (node.plain && /^(?:true|True|TRUE|false|False|FALSE)$/.test(node.text)) return 'a boolean';
  if (node.plain && /^[-+]?(?:\d+|0o[0-7]+|0x[0-9a-fA-F]+)$/.test(node.text)) return 'an integer';
  return `a string of ${node.text.length} characters`;
}

export function entryOf(node: YamlNode, key: string): MapEntry | undefined {
  return node.type === 'map' ? node.entries.find((entry) => entry.key === key) : undefined;
}
