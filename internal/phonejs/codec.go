package phonejs

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"kryptonite/internal/knownhosts"
	"kryptonite/internal/phone"
)

// events are all that may be handed to a core, effects all that it may want.
var (
	events = types(phone.Start{}, phone.OpenLink{}, phone.Confirm{}, phone.Frame{}, phone.Decide{}, phone.Revoke{},
		phone.ForgetHost{}, phone.Forward{}, phone.TrustHost{}, phone.Lock{}, phone.NameComputer{}, phone.Signed{}, phone.Unpair{}, phone.Told{}, phone.Tick{},
		phone.KeysChanged{}, phone.AllowKey{}, phone.Acknowledge{}, phone.Renamed{}, phone.Subscribed{}, phone.Registered{})
	effects = types(phone.Store{}, phone.Listen{}, phone.Close{}, phone.Send{}, phone.Sign{}, phone.ShowWords{}, phone.Ask{},
		phone.Alarm{}, phone.Withdraw{}, phone.Note{}, phone.Subscribe{})
)

// enums are numbers in Go and words in JSON.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[phone.NoteKind](): {"BadLink", "NoHello", "TooLate", "Paired", "Live", "Refused", "Unpaired", "Told", "Skew",
		"Signed", "LogDamaged", "Unheard", "Untrusted", "Opened"},
	reflect.TypeFor[knownhosts.Verdict](): {"NoName", "New", "Match", "Mismatch", "NewType", "Downgraded"},
}

// seconds are fields that hold Unix seconds in Go.
var seconds = map[string]bool{"Rule.Since": true, "Rule.Until": true, "Pin.Unix": true, "Cert.ValidAfter": true, "Cert.ValidBefore": true}

// nullable are fields that may be null: bytes where none mean something else
// than empty, and times that may be for ever.
var nullable = map[string]bool{"Store.Value": true, "Cert.ValidAfter": true, "Cert.ValidBefore": true}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	errorType    = reflect.TypeFor[error]()
	eventType    = reflect.TypeFor[phone.Event]()
	effectType   = reflect.TypeFor[phone.Effect]()
)

const maxSafe = 1<<53 - 1 // what a number of JavaScript holds exactly

func types(values ...any) map[string]reflect.Type {
	m := map[string]reflect.Type{}
	for _, v := range values {
		m[reflect.TypeOf(v).Name()] = reflect.TypeOf(v)
	}
	return m
}

// jsName is what a Go field is called in JSON: KeyType is keyType, ID is id.
func jsName(field string) string {
	if strings.ToUpper(field) == field {
		return strings.ToLower(field)
	}
	return strings.ToLower(field[:1]) + field[1:]
}

func isBytes(t reflect.Type) bool {
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem().Kind() == reflect.Uint8
}

// encode turns v into what encoding/json writes. field is Struct.Field.
func encode(v reflect.Value, field string) any {
	t := v.Type()
	if words := enums[t]; words != nil {
		return words[v.Int()]
	}
	switch {
	case t == timeType:
		if at := v.Interface().(time.Time); !at.IsZero() {
			return at.UnixMilli()
		}
		return 0
	case t == durationType:
		return v.Interface().(time.Duration).Milliseconds()
	case t == errorType:
		if v.IsNil() {
			return ""
		}
		return v.Interface().(error).Error()
	case isBytes(t) && t.Kind() == reflect.Array:
		b := make([]byte, t.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		return base64.StdEncoding.EncodeToString(b)
	case isBytes(t):
		if nullable[field] && v.IsNil() {
			return nil
		}
		return base64.StdEncoding.EncodeToString(v.Bytes())
	}
	switch t.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int:
		return v.Int()
	case reflect.Int64:
		return v.Int() * 1000
	case reflect.Uint64:
		if s := v.Uint(); s <= maxSafe/1000 {
			return s * 1000
		}
		return nil
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return encode(v.Elem(), field)
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = encode(v.Index(i), field)
		}
		return list
	case reflect.Interface:
		object := encode(v.Elem(), field).(map[string]any)
		object["type"] = v.Elem().Type().Name()
		return object
	case reflect.Struct:
		object := map[string]any{}
		for i := range t.NumField() {
			f := t.Field(i)
			object[jsName(f.Name)] = encode(v.Field(i), t.Name()+"."+f.Name)
		}
		return object
	}
	panic("phonejs: bug: no JSON for " + t.String())
}

// decode turns what encoding/json read into a t. Every field must be there, and
// no other.
func decode(in any, t reflect.Type, field string) (reflect.Value, error) {
	out := reflect.New(t).Elem()
	misfit := fmt.Errorf("%s does not fit %s", field, t)
	number, isNumber := in.(float64)
	whole := isNumber && number == math.Trunc(number) && math.Abs(number) <= maxSafe
	text, isText := in.(string)
	switch {
	case t == timeType && whole:
		out.Set(reflect.ValueOf(time.UnixMilli(int64(number))))
		return out, nil
	case t == durationType && whole && math.Abs(number) <= math.MaxInt64/1e6:
		out.SetInt(int64(number) * int64(time.Millisecond))
		return out, nil
	case t == timeType || t == durationType:
		return out, misfit
	case isBytes(t):
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if !isText || err != nil || t.Kind() == reflect.Array && len(b) != t.Len() {
			return out, misfit
		}
		if t.Kind() == reflect.Array {
			reflect.Copy(out, reflect.ValueOf(b))
		} else {
			out.SetBytes(b)
		}
		return out, nil
	}
	switch flag, isBool := in.(bool); {
	case t.Kind() == reflect.String && isText:
		out.SetString(text)
	case t.Kind() == reflect.Bool && isBool:
		out.SetBool(flag)
	case t.Kind() == reflect.Int && whole:
		out.SetInt(int64(number))
	case t.Kind() == reflect.Slice:
		list, ok := in.([]any)
		if !ok {
			return out, misfit
		}
		for _, e := range list {
			v, err := decode(e, t.Elem(), field)
			if err != nil {
				return out, err
			}
			out = reflect.Append(out, v)
		}
	case t.Kind() == reflect.Map, t.Kind() == reflect.Struct, t == eventType:
		object, ok := in.(map[string]any)
		if !ok {
			return out, misfit
		}
		return decodeObject(object, t, field)
	default:
		return out, misfit
	}
	return out, nil
}

func decodeObject(object map[string]any, t reflect.Type, field string) (reflect.Value, error) {
	out := reflect.New(t).Elem()
	fields := len(object)
	switch {
	case t == eventType:
		name, _ := object["type"].(string)
		concrete, ok := events[name]
		if !ok {
			return out, fmt.Errorf("there is no event %q", name)
		}
		delete(object, "type")
		v, err := decodeObject(object, concrete, name)
		if err == nil {
			out.Set(v)
		}
		return out, err
	case t.Kind() == reflect.Map:
		out.Set(reflect.MakeMap(t))
		for k, e := range object {
			v, err := decode(e, t.Elem(), field)
			if err != nil {
				return out, err
			}
			out.SetMapIndex(reflect.ValueOf(k), v)
		}
		return out, nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		in, ok := object[jsName(f.Name)]
		if !ok {
			return out, fmt.Errorf("%s has no %s", field, jsName(f.Name))
		}
		v, err := decode(in, f.Type, t.Name()+"."+f.Name)
		if err != nil {
			return out, err
		}
		out.Field(i).Set(v)
	}
	if fields != t.NumField() {
		return out, fmt.Errorf("%s has fields that nobody knows", field)
	}
	return out, nil
}
