package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Expiry;
import java.util.Optional;

/**
 * The one option of a request that says when something expires: a {@link TimeForm} with its number, or a word without one. As in Redis,
 * the same option may be there twice, and the later one counts.
 */
final class ExpiryOption {
    private final String plainWord;
    private final Expiry plain;
    private Optional<TimeForm> form = Optional.empty();
    private Bytes number = Bytes.EMPTY;
    private boolean isPlain;

    /**
     * @param plainWord the option without a number, in lower case
     * @param plain what that one says
     */
    ExpiryOption(String plainWord, Expiry plain) {
        this.plainWord = plainWord;
        this.plain = plain;
    }

    /**
     * Takes the option, if it is one and no other one was there before.
     *
     * @param next the word behind it
     * @return the number of words that were taken
     */
    int take(Bytes word, Optional<Bytes> next) {
        if (Keyword.is(word, plainWord) && form.isEmpty()) {
            isPlain = true;
            return 1;
        }
        Optional<TimeForm> asked = TimeForm.of(word);
        if (asked.isEmpty() || next.isEmpty() || isPlain || (form.isPresent() && !form.equals(asked))) {
            return 0;
        }
        form = asked;
        number = next.get();
        return 2;
    }

    /**
     * What it says; empty if it is not there.
     *
     * @param command for the error
     * @throws RespError if its number is none that Redis takes
     */
    Optional<Expiry> expiry(String command) {
        return isPlain ? Optional.of(plain) : form.map(given -> given.ofValue(number, command));
    }
}
