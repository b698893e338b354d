// Forms: labelled fields, one error place, a button that waits for the server.
import { ApiError } from "./api";
import { h, replace, type Child } from "./dom";

export interface Field { name: string; label: string; type?: string; value?: string; hint?: string; required?: boolean; options?: [string, string][]; autocomplete?: string; min?: string; max?: string; step?: string; minlength?: number; inputmode?: string }

let count = 0;
export function field(f: Field): HTMLElement {
  const id = `field-${++count}`;
  const common = { id, name: f.name, required: f.required ?? false, ...(f.hint === undefined ? {} : { "aria-describedby": `${id}-hint` }) };
  const input =
    f.options !== undefined
      ? h("select", common, f.options.map(([value, label]) => h("option", { value, selected: value === f.value }, label)))
      : f.type === "textarea"
        ? h("textarea", { ...common, rows: 3 }, f.value ?? "")
        : h("input", { ...common, type: f.type ?? "text", autocomplete: f.autocomplete ?? "off", min: f.min, max: f.max, step: f.step, minlength: f.minlength, inputmode: f.inputmode, value: f.value ?? "" });
  return h("div", { class: "field" }, h("label", { for: id }, f.label), input, f.hint !== undefined && h("small", { id: `${id}-hint` }, f.hint));
}

export function values(form: HTMLFormElement): Record<string, string> {
  return Object.fromEntries([...new FormData(form)].map(([key, value]) => [key, String(value).trim()]));
}

export function form(fields: Child, button: string, submit: (values: Record<string, string>) => Promise<void>, extra: Child = null): HTMLFormElement {
  const fault = h("div", { class: "error", role: "alert" });
  const send = h("button", { class: "primary", type: "submit" }, button);
  const element = h("form", {}, fields, fault, h("div", { class: "row end" }, extra, send));
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    send.disabled = true;
    replace(fault);
    submit(values(element))
      .catch((error: unknown) => replace(fault, error instanceof ApiError ? [error.message, error.hint !== "" && h("small", {}, ` ${error.hint}`)] : String(error)))
      .finally(() => (send.disabled = false));
  });
  return element;
}
