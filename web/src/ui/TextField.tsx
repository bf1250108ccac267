import {
  FieldError,
  Input,
  Label,
  Text,
  TextArea,
  TextField as AriaTextField,
  type TextFieldProps,
} from "react-aria-components";
import "./Field.css";

/** A labelled line (or, with `lines`, several) of text with its hint and its error. */
export function TextField({
  label,
  hint,
  error,
  lines = false,
  placeholder,
  ...props
}: Omit<TextFieldProps, "className" | "children"> & {
  label: string;
  hint?: string;
  error?: string | null;
  lines?: boolean;
  placeholder?: string;
}) {
  return (
    <AriaTextField {...props} isInvalid={Boolean(error)} className="field">
      <Label>{label}</Label>
      {lines ? <TextArea placeholder={placeholder} /> : <Input placeholder={placeholder} />}
      {hint ? (
        <Text slot="description" className="hint">
          {hint}
        </Text>
      ) : null}
      <FieldError className="error">{error}</FieldError>
    </AriaTextField>
  );
}
