import { Button, Label, ListBox, ListBoxItem, Popover, Select as AriaSelect, SelectValue } from "react-aria-components";
import "./Field.css";

/** One choice out of a few. */
export function Select<Id extends string>({
  label,
  value,
  onChange,
  options,
}: {
  label: string;
  value: Id;
  onChange: (id: Id) => void;
  options: readonly { id: Id; name: string }[];
}) {
  return (
    <AriaSelect className="field" selectedKey={value} onSelectionChange={(key) => onChange(key as Id)}>
      <Label>{label}</Label>
      <Button className="select-button">
        <SelectValue />
        <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="options">
        <ListBox items={options}>{(option) => <ListBoxItem id={option.id}>{option.name}</ListBoxItem>}</ListBox>
      </Popover>
    </AriaSelect>
  );
}
