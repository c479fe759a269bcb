package attacktest

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
)

// EvilWord steers terminals (ESC, CSI and OSC, by C0 and by C1), turns text around
// and hides some. Evil begins a line that looks like a program's own, too.
const (
	EvilWord = "evil\x1b]0;t\x07\x1b[2J\u009b31m\u009d8;;x\u009c\b\x00\x7f\u202e\u2066\u200b\ufeff\u2028\U000e0041"
	Evil     = EvilWord + "\r\n" + forged + "\v\f\t" + EvilWord

	forged = "FORGED LINE"
)

// Fill puts text(NAME) into all strings that v, a pointer, holds, by the name of
// their field; two elements into slices; one hour ago into times; yes into bools.
func Fill(v any, yes bool, text func(field string) string) {
	fill(reflect.ValueOf(v).Elem(), "", yes, text)
}

func fill(v reflect.Value, name string, yes bool, text func(string) string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name, yes, text)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(text(name)))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), name, yes, text)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Now().Add(-time.Hour)))
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(v.Field(i), f.Name, yes, text)
			}
		}
	case reflect.String:
		v.SetString(text(name))
	case reflect.Bool:
		v.SetBool(yes)
	case reflect.Int, reflect.Int64:
		v.SetInt(2)
	case reflect.Uint64:
		v.SetUint(2)
	case reflect.Float64:
		v.SetFloat(2)
	}
}

// Steers says what in an output steers a terminal, hides, or is the line that
// Evil begins; "" if there is nothing.
func Steers(out string) string {
	for _, line := range strings.Split(out, "\n") {
		if strings.HasPrefix(line, forged) {
			return "a forged line"
		}
		for _, r := range line {
			if r != '\t' && (!unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point)) {
				return fmt.Sprintf("%U in %q", r, line)
			}
		}
	}
	return ""
}
