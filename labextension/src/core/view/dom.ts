/** The one way elements are made here. Texts only ever become text nodes: nothing that a model says can come to life. */

export type Child = Node | string | null | undefined | false;

interface Options {
  readonly class?: string;
  /** Attributes; `true` sets an empty one, `false`, `null` and `undefined` set none. */
  readonly attrs?: Readonly<Record<string, string | number | boolean | null | undefined>>;
  readonly on?: { readonly [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
}

/** A new element. Strings among the children become text nodes. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  options: Options = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (options.class) {
    element.className = options.class;
  }
  for (const [name, value] of Object.entries(options.attrs ?? {})) {
    setAttribute(element, name, value);
  }
  for (const [name, listener] of Object.entries(options.on ?? {})) {
    element.addEventListener(name, listener as EventListener);
  }
  element.append(...children.filter(child => child instanceof Node || typeof child === 'string'));
  return element;
}

/** Sets, or with `false`, `null` and `undefined` removes, an attribute. */
export function setAttribute(
  element: Element,
  name: string,
  value: string | number | boolean | null | undefined
): void {
  if (value === null || value === undefined || value === false) {
    element.removeAttribute(name);
  } else {
    const text = value === true ? '' : String(value);
    if (element.getAttribute(name) !== text) {
      element.setAttribute(name, text);
    }
  }
}

/** Sets the text of an element, leaving it alone when it is the same already. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** A button with a text. */
export function button(label: string, options: Options = {}): HTMLButtonElement {
  return h('button', { ...options, attrs: { type: 'button', ...options.attrs } }, label);
}

let made = 0;

/** An id that no other element of the page has. */
export function freshId(what: string): string {
  made += 1;
  return `rlm-${what}-${String(made)}`;
}
