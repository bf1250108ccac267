import {
  Label,
  Slider as AriaSlider,
  type SliderProps,
  SliderOutput,
  SliderThumb,
  SliderTrack,
} from "react-aria-components";
import "./Slider.css";

/** A value on a scale; `shown` is its text. */
export function Slider({
  label,
  shown,
  ...props
}: Omit<SliderProps<number>, "className" | "children"> & { label: string; shown?: string }) {
  return (
    <AriaSlider {...props} className="slider">
      <Label>{label}</Label>
      <SliderOutput className="slider-value number">{shown}</SliderOutput>
      <SliderTrack className="slider-track">
        {({ state }) => (
          <>
            <div className="slider-fill" style={{ width: `${state.getThumbPercent(0) * 100}%` }} />
            <SliderThumb className="slider-thumb" />
          </>
        )}
      </SliderTrack>
    </AriaSlider>
  );
}
