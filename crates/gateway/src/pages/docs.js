// Shows /openapi.json. Everything from the description is put in as text, never as markup.
"use strict";

const METHODS = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];
const DEEPEST = 6;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== undefined) made.setAttribute(key, value);
  }
  for (const child of children) {
    if (child !== null && child !== undefined) made.append(child);
  }
  return made;
}

function followed(api, value) {
  for (let hops = 0; hops < 10 && value && typeof value.$ref === "string"; hops += 1) {
    if (!value.$ref.startsWith("#/")) return value;
    const steps = value.$ref.slice(2).split("/").map((step) => step.replace(/~1/g, "/").replace(/~0/g, "~"));
    value = steps.reduce((at, step) => (at === undefined || at === null ? undefined : at[step]), api);
  }
  return value || {};
}

function nameOf(schema) {
  return schema && typeof schema.$ref === "string" ? schema.$ref.split("/").pop() : undefined;
}

// A schema as a sketch of the JSON it stands for.
function sketch(api, schema, depth, seen) {
  if (schema === true || schema === undefined) return "any";
  const name = nameOf(schema);
  if (name !== undefined) {
    if (seen.includes(name) || depth > DEEPEST) return name;
    seen = [...seen, name];
  }
  schema = followed(api, schema);
  const indent = "  ".repeat(depth + 1);
  const choice = schema.oneOf || schema.anyOf;
  if (choice) {
    const kinds = choice.map((one) => sketch(api, one, depth, seen));
    return [...new Set(kinds)].join(" | ");
  }
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  const all = schema.allOf ? schema.allOf.map((one) => followed(api, one)) : [];
  const properties = Object.assign({}, ...all.map((one) => one.properties || {}), schema.properties || {});
  const required = [...(schema.required || []), ...all.flatMap((one) => one.required || [])];
  if (Object.keys(properties).length > 0) {
    const lines = Object.entries(properties).map(([key, value]) => {
      const mark = required.includes(key) ? "" : "?";
      return `${indent}${JSON.stringify(key)}${mark}: ${sketch(api, value, depth + 1, seen)}`;
    });
    return `{\n${lines.join(",\n")}\n${"  ".repeat(depth)}}`;
  }
  if (schema.additionalProperties && typeof schema.additionalProperties === "object") {
    return `{ "...": ${sketch(api, schema.additionalProperties, depth + 1, seen)} }`;
  }
  if (schema.items) return `[ ${sketch(api, schema.items, depth, seen)} ]`;
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type || "any";
  const bounds = [];
  if (schema.format) bounds.push(schema.format);
  for (const [key, sign] of [["minimum", ">="], ["maximum", "<="], ["minLength", "length >="], ["maxLength", "length <="]]) {
    if (schema[key] !== undefined) bounds.push(`${sign} ${schema[key]}`);
  }
  return bounds.length > 0 ? `${type} (${bounds.join(", ")})` : type;
}

function contents(api, content) {
  return Object.entries(content || {}).flatMap(([kind, media]) => [
    element("p", { class: "needs" }, kind),
    media.schema ? element("pre", {}, sketch(api, media.schema, 0, [])) : null,
  ]);
}

function parameters(api, list) {
  if (list.length === 0) return null;
  const rows = list.map((parameter) => {
    const found = followed(api, parameter);
    return element("tr", {},
      element("td", {}, element("code", {}, found.name || ""), found.required ? " *" : ""),
      element("td", {}, found.in || ""),
      element("td", {}, element("code", {}, sketch(api, found.schema, 0, []))),
      element("td", { class: "text" }, found.description || ""));
  });
  const head = element("tr", {}, ...["Name", "In", "Type", ""].map((title) => element("th", {}, title)));
  return element("div", {}, element("h3", {}, "Parameters"), element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function security(api, operation) {
  const needed = operation.security === undefined ? api.security : operation.security;
  if (!Array.isArray(needed) || needed.length === 0 || needed.some((one) => Object.keys(one).length === 0)) return null;
  const ways = needed.map((one) => Object.entries(one).map(([name, scopes]) => scopes.length > 0 ? `${name} (${scopes.join(", ")})` : name).join(" and "));
  return element("p", { class: "needs" }, `Needs ${ways.join(" or ")}`);
}

function details(api, item, operation) {
  const body = operation.requestBody ? followed(api, operation.requestBody) : null;
  const answers = Object.entries(operation.responses || {}).map(([status, answer]) => {
    const found = followed(api, answer);
    return element("div", {}, element("h3", {}, `${status} ${found.description || ""}`), ...contents(api, found.content));
  });
  return element("div", {},
    operation.description ? element("p", { class: "text" }, operation.description) : null,
    security(api, operation),
    parameters(api, [...(item.parameters || []), ...(operation.parameters || [])]),
    body ? element("div", {}, element("h3", {}, "Body"), ...contents(api, body.content)) : null,
    ...answers);
}

function operationOf(api, path, method, item) {
  const operation = item[method];
  const summary = element("summary", {},
    element("span", { class: `method ${method}` }, method.toUpperCase()),
    element("code", {}, path),
    element("span", { class: "summary" }, operation.summary || ""));
  const made = element("details", { class: "operation", id: operation.operationId }, summary);
  made.dataset.words = `${method} ${path} ${operation.summary || ""} ${operation.operationId || ""}`.toLowerCase();
  // Only what is opened is drawn.
  made.addEventListener("toggle", () => {
    if (made.open && made.childElementCount === 1) made.append(details(api, item, operation));
  });
  return made;
}

function show(api) {
  const title = (api.info && api.info.title) || "API";
  document.title = title;
  document.getElementById("title").textContent = title;
  const described = new Map((api.tags || []).map((tag) => [tag.name, tag.description]));
  const parts = new Map();
  for (const [path, item] of Object.entries(api.paths || {})) {
    for (const method of METHODS.filter((one) => item[one])) {
      const tag = (item[method].tags || ["other"])[0];
      if (!parts.has(tag)) parts.set(tag, []);
      parts.get(tag).push(operationOf(api, path, method, item));
    }
  }
  const main = document.getElementById("operations");
  const nav = document.getElementById("tags");
  main.replaceChildren();
  nav.replaceChildren();
  for (const [tag, operations] of parts) {
    nav.append(element("a", { href: `#part-${tag}` }, tag));
    main.append(element("section", { id: `part-${tag}` },
      element("h2", {}, tag),
      described.get(tag) ? element("p", {}, described.get(tag)) : null,
      ...operations));
  }
  if (parts.size === 0) main.append(element("p", {}, "Nothing is described here."));
  openLinked();
}

function openLinked() {
  const linked = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (linked instanceof HTMLDetailsElement) {
    linked.open = true;
    linked.scrollIntoView();
  }
}

function filter(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter((word) => word !== "");
  for (const section of document.querySelectorAll("section")) {
    let some = false;
    for (const operation of section.querySelectorAll("details.operation")) {
      const fits = wanted.every((word) => operation.dataset.words.includes(word));
      operation.hidden = !fits;
      some = some || fits;
    }
    section.hidden = !some;
  }
}

document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
window.addEventListener("hashchange", openLinked);
fetch("/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
  .then(show)
  .catch((error) => {
    document.getElementById("operations").textContent = `The description cannot be read: ${error.message}`;
  });
