/** Every text a person reads goes through this, so that JupyterLab can translate it; `%1` stands for the first value. */
export interface Words {
  __(text: string, ...values: readonly (string | number)[]): string;
  /** One form for 1, another for every other number; `%1` is the number. */
  _n(one: string, many: string, count: number, ...values: readonly (string | number)[]): string;
}

/** The words as they are written here. */
export const ENGLISH: Words = {
  __: (text, ...values) => fill(text, values),
  _n: (one, many, count, ...values) => fill(count === 1 ? one : many, [count, ...values])
};

function fill(text: string, values: readonly (string | number)[]): string {
  return text.replace(/%(\d)/g, (whole, digit: string) => String(values[Number(digit) - 1] ?? whole));
}
