// Elements without a framework: h("button", {class: "x", onclick: f}, "text").
export type Child = Node | string | number | null | undefined | false | Child[];
type Props = Record<string, unknown>;

function append(parent: Node, child: Child): void {
  if (Array.isArray(child)) child.forEach((c) => append(parent, c));
  else if (child instanceof Node) parent.appendChild(child);
  else if (child !== null && child !== undefined && child !== false) parent.appendChild(document.createTextNode(String(child)));
}

function setProps(element: Element, props: Props): void {
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on") && typeof value === "function") element.addEventListener(key.slice(2), value as EventListener);
    else if (key === "value" && "value" in element) (element as HTMLInputElement).value = String(value);
    else if (key === "checked" || key === "disabled" || key === "hidden" || key === "selected" || key === "indeterminate")
      (element as unknown as Record<string, unknown>)[key] = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
}

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  append(element, children);
  setProps(element, props);
  return element;
}

export function s(tag: string, props: Props = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setProps(element, props);
  append(element, children);
  return element as SVGElement;
}

// A wide table scrolls inside of its own frame; where it does, the keyboard must reach the frame, and only there.
export function scrollable(...children: Child[]): HTMLElement {
  const frame = h("div", { class: "scroll" }, ...children);
  new ResizeObserver(() => {
    if (frame.scrollWidth > frame.clientWidth || frame.scrollHeight > frame.clientHeight) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
  }).observe(frame);
  return frame;
}

export function replace(parent: Element, ...children: Child[]): void {
  parent.textContent = "";
  append(parent, children);
}

// A modal dialog; resolves with the value given to `close`, null when dismissed.
export function dialog<T>(title: string, build: (close: (value: T | null) => void) => Child): Promise<T | null> {
  return new Promise((resolve) => {
    let answer: T | null = null;
    const before = document.activeElement as HTMLElement | null;
    const box = h("dialog", { "aria-labelledby": "dialog-title" });
    const close = (value: T | null): void => {
      answer = value;
      box.close();
    };
    append(box, [h("h2", { id: "dialog-title" }, title), build(close)]);
    box.addEventListener("close", () => {
      box.remove();
      before?.focus();
      resolve(answer);
    });
    document.body.appendChild(box);
    box.showModal();
  });
}

let live: HTMLElement | null = null;
let toastTimer = 0;
// A short message, also for screen readers. Errors stay until dismissed.
export function toast(text: string, isError = false): void {
  if (live === null) {
    live = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.appendChild(live);
  }
  window.clearTimeout(toastTimer);
  const message = h("div", { class: isError ? "toast toast-error" : "toast" }, text);
  message.addEventListener("click", () => message.remove());
  replace(live, message);
  toastTimer = window.setTimeout(() => message.remove(), isError ? 12000 : 4000);
}
