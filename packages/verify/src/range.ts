/** Both ends inclusive. */
export interface Range {
  readonly minimum: number;
  readonly maximum: number;
}

export function within(value: number, range: Range): boolean {
  return value >= range.minimum && value <= range.maximum;
}
