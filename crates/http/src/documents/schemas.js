
// The part of the description that a reference names.
const resolved = (description, part) =>
  part.$ref === undefined
    ? part
    : part.$ref.split("/").slice(1).reduce((found, step) => found[step], description);

const typeName = (reference) => reference.split("/").at(-1);

const range = ({ minimum, maximum, minLength, maxLength }) => {
  if (maximum !== undefined) return `${minimum ?? 0} to ${maximum}`;
  if (maxLength !== undefined) return `${minLength ?? 0} to ${maxLength} characters`;
  return minimum === undefined ? null : `from ${minimum}`;
};

// What values of a schema look like, as nodes of one line.
const shape = (schema) => {
  if (schema.$ref !== undefined) {
    const name = typeName(schema.$ref);
    return [element("a", { href: `#type-${name}` }, name)];
  }
  const several = schema.oneOf ?? schema.allOf;
  if (several !== undefined) {
    const named = several.filter((part) => part.$ref !== undefined);
    return named.flatMap((part, place) => (place === 0 ? shape(part) : [" or ", ...shape(part)]));
  }
  if (schema.type === "array") return ["list of ", ...shape(schema.items)];
  const facts = [
    [schema.type ?? "any value"].flat().join(" or "),
    range(schema),
    schema.enum && `one of ${schema.enum.join(", ")}`,
    schema.default !== undefined && `default ${schema.default}`,
    schema.format === "date-time" && "RFC 3339",
  ];
  return [facts.filter(Boolean).join(", ")];
};

const properties = (schema) => {
  const required = schema.required ?? [];
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const optional = required.includes(name) ? [] : [", optional"];
    return described(name, element("span", {}, ...shape(property), ...optional), property.description);
  });
  return element("dl", {}, ...rows);
};

const typeCard = (name, schema) =>
  element(
    "details",
    { id: `type-${name}`, "data-words": name.toLowerCase() },
    element("summary", {}, element("span", { class: "path" }, name), element("small", {}, words(schema.description))),
    schema.properties ? properties(schema) : element("p", {}, ...shape(schema)),
  );
