package phoneterm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // formats of pictures of QR codes
	_ "image/png"
	"io"
	"os"
	"strings"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/spf13/cobra"

	"kryptonite/internal/pairing"
	"kryptonite/internal/phone"
	"kryptonite/internal/term"
	"kryptonite/internal/wire"
)

const tellPatience = 10 * time.Second // for telling a computer that it is unpaired

// What a picture of a QR code may have.
const (
	maxImage  = 32 << 20 // bytes
	maxSide   = 16 << 10 // pixels
	maxPixels = 64 << 20
)

func pairCmd(e *env) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "pair",
		Short: "Pair this phone with a computer",
		Long: `Pair this phone with a computer. Type kr pair there, then give this command the
link it prints, or a picture of its QR code. Compare the two words that both
show, then answer y on both sides.

Without a terminal it reads two lines: the link, and the two words that the
computer shows.`,
		Example: "  $ kr-phone pair\n  $ kr-phone pair --image photo.png",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runPair(c.Context(), e, file) },
	}
	c.Flags().StringVar(&file, "image", "", "a picture (PNG or JPEG) of the QR code")
	return c
}

func runPair(ctx context.Context, e *env, file string) error {
	o, err := open()
	if err != nil {
		return err
	}
	defer o.close()
	log, err := e.logger()
	if err != nil {
		return err
	}
	core, err := o.core(phone.ApproveNever)
	if err != nil {
		return err
	}
	link, err := readLink(ctx, e, file)
	if err != nil {
		return err
	}
	inv, err := wire.ParseLink(link)
	if err != nil {
		return badLink(err)
	}
	if inv.Bluetooth {
		if err := canBluetooth(); err != nil {
			return err
		}
	}
	p := &pairing1{e: e, shown: make(chan phone.Effect, 16), link: inv}
	r := newRunner(core, o.journal, nil, p.show, log)
	ctx, end := r.begin(ctx)
	if err = e.register(ctx, r); err == nil {
		err = p.steps(ctx, r, link)
	}
	if err == nil { // the computer waits for the last word
		r.parting = sendLimit
	}
	return end(err)
}

func badLink(err error) error {
	var v *wire.LinkVersionError
	if errors.As(err, &v) {
		return &term.Problem{Err: err, Hints: []string{"update kr-phone"}}
	}
	return &term.Problem{Err: errors.New("this is not a pairing link"),
		Hints: []string{"type kr pair on the computer and copy the whole link, from https:// on"}}
}

// readLink takes the link from a picture, or a line of input. It is never an
// argument: arguments are for everyone on the machine to read.
func readLink(ctx context.Context, e *env, file string) (string, error) {
	if file != "" {
		return decodeImage(file)
	}
	if e.io.InTTY() {
		e.io.Sayf("Paste the link that kr pair shows: ")
	}
	s, err := e.io.ReadLine(ctx)
	if err != nil {
		return "", fmt.Errorf("read the link: %w", err)
	}
	return s, nil
}

func decodeImage(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read the picture: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxImage+1))
	if err != nil {
		return "", fmt.Errorf("read the picture: %w", err)
	}
	cfg, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil || len(b) > maxImage || cfg.Width > maxSide || cfg.Height > maxSide || cfg.Width*cfg.Height > maxPixels {
		return "", fmt.Errorf("%s is no PNG or JPEG picture of a usual size", file)
	}
	img, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return "", fmt.Errorf("read the picture: %w", err)
	}
	bmp, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		return "", fmt.Errorf("read the picture: %w", err)
	}
	res, err := qrcode.NewQRCodeReader().Decode(bmp, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		return "", &term.Problem{Err: fmt.Errorf("no QR code was found in %s", file),
			Hints: []string{"take the picture again, straight and sharp, or paste the link"}}
	}
	return res.GetText(), nil
}

// pairing1 is one run of "kr-phone pair".
type pairing1 struct {
	e     *env
	shown chan phone.Effect
	link  wire.Invitation
	mine  string // id of the pairing
}

// show passes on what concerns the person; the loop must not wait for it.
func (p *pairing1) show(e phone.Effect) {
	select {
	case p.shown <- e:
	default:
	}
}

// steps goes through the pairing with the person.
func (p *pairing1) steps(ctx context.Context, r *runner, link string) error {
	if err := r.post(ctx, phone.OpenLink{Link: link}); err != nil {
		return err
	}
	p.e.io.Sayf("Asking the computer …\n")
	for {
		var eff phone.Effect
		select {
		case eff = <-p.shown:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		switch eff := eff.(type) {
		case phone.ShowWords:
			if err := p.words(ctx, r, eff); err != nil {
				return err
			}
		case phone.Note:
			if done, err := p.note(eff); done || err != nil {
				return err
			}
		}
	}
}

// words shows the two words and takes the person's answer.
func (p *pairing1) words(ctx context.Context, r *runner, w phone.ShowWords) error {
	p.mine = w.Pairing
	p.e.io.Sayf("\n    %s\n\n", w.Words)
	same := false
	var err error
	if p.e.io.InTTY() {
		same, err = p.e.io.Confirm(ctx, fmt.Sprintf("Does %q show the same two words?", term.CleanMax(w.Computer, 64)))
	} else {
		var typed string
		typed, err = p.e.io.ReadLine(ctx)
		same = err == nil && pairing.SameWords(typed, w.Words)
		if err != nil && ctx.Err() == nil {
			err = nil // the end of input is a no
		}
	}
	if err != nil {
		return errors.Join(err, r.post(context.WithoutCancel(ctx), phone.Confirm{Pairing: w.Pairing}))
	}
	return r.post(ctx, phone.Confirm{Pairing: w.Pairing, Yes: same})
}

func (p *pairing1) note(n phone.Note) (done bool, err error) {
	switch n.Kind {
	case phone.NoteBadLink:
		return true, badLink(n.Err)
	case phone.NoteNoHello:
		p.e.io.Sayf("The computer has not answered for 15 seconds. Someone else may have scanned the code:\n" +
			"give up with Ctrl-C and type kr pair again, unless the computer is just slow.\n")
	case phone.NoteTooLate:
		return true, &term.Problem{Err: errors.New("the code is too old"), Code: 5, Hints: []string{"type kr pair again on the computer"}}
	case phone.NoteRefused:
		return true, &term.Problem{Err: errors.New("not paired: the words were not confirmed on both sides"), Code: 4}
	case phone.NoteLogDamaged:
		p.e.sayLogDamaged(n)
	case phone.NotePaired:
		p.e.io.Sayf("Paired with %s here; it asks for your y, too. Next: kr-phone run\n", term.CleanMax(n.Computer, 64))
		return true, nil
	}
	return false, nil
}

func unpairCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "unpair NAME",
		Short:   "End the pairing with a computer",
		Long:    "End the pairing with a computer. It takes effect here at once; the computer is told.",
		Example: "  $ kr-phone unpair laptop",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return runUnpair(c.Context(), e, args[0]) },
	}
}

func runUnpair(ctx context.Context, e *env, name string) error {
	o, err := openAny()
	if err != nil {
		return err
	}
	defer o.close()
	log, err := e.logger()
	if err != nil {
		return err
	}
	core, err := o.core(phone.ApproveNever)
	if err != nil {
		return err
	}
	found, err := findComputer(core, name)
	if err != nil {
		return err
	}
	told := make(chan struct{})
	r := newRunner(core, o.journal, nil, func(eff phone.Effect) {
		if n, ok := eff.(phone.Note); ok && n.Kind == phone.NoteTold && n.Pairing == found.Pairing {
			close(told)
		}
	}, log)
	ctx, end := r.begin(ctx)
	if err = r.post(ctx, phone.Unpair{Pairing: found.Pairing}); err == nil {
		e.io.Sayf("Unpaired from %s.\n", term.CleanMax(found.Name, 64))
		err = e.awaitTold(ctx, told)
	}
	return end(err)
}

// findComputer is the computer with this name or id.
func findComputer(core *phone.Core, name string) (phone.Computer, error) {
	var found []phone.Computer
	for _, c := range core.Computers() {
		if c.Pairing == name || strings.EqualFold(c.Name, name) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return phone.Computer{}, &term.Problem{Err: fmt.Errorf("%d paired computers are called %q", len(found), name), Code: 3,
			Hints: []string{"list them with: kr-phone list (an id works, too)"}}
	}
	return found[0], nil
}

// awaitTold waits until the computer has been told, but not for long: the
// pairing is over whether or not it knows.
func (e *env) awaitTold(ctx context.Context, told <-chan struct{}) error {
	timer := time.NewTimer(tellPatience)
	defer timer.Stop()
	select {
	case <-told:
	case <-timer.C:
		e.io.Sayf("The computer could not be told yet. kr-phone run goes on trying for two days.\n")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func listCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the paired computers", Args: cobra.NoArgs,
		Long: "List the paired computers: id, name, when paired, when last heard of, and since when\nlocked.",
		RunE: func(*cobra.Command, []string) error {
			o, err := view()
			if err != nil {
				return err
			}
			core, err := o.core(phone.ApproveNever)
			if err != nil {
				return err
			}
			for _, c := range core.Computers() {
				e.io.Printf("%s\t%s\t%s\t%s\t%s\n", c.Pairing, term.CleanMax(c.Name, 64), when(c.Paired), when(c.Heard), when(c.Locked))
			}
			for _, name := range core.Untold() {
				e.io.Sayf("%s has not been told yet that it is unpaired; kr-phone run goes on trying.\n", term.CleanMax(name, 64))
			}
			return nil
		},
	}
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}
